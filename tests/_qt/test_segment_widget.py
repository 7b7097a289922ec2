"""The Segment widget, with the real model in the real child process."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
import psutil
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QTableView

from napari_pffnet import load_sample
from napari_pffnet._qt.layers import METADATA_KEY
from napari_pffnet._qt.review_widget import ReviewWidget
from napari_pffnet.evaluation import aji

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Labels
    from numpy.typing import NDArray
    from pytestqt.qtbot import QtBot

    from napari_pffnet._qt.segment_widget import SegmentWidget

TIMEOUT = 300_000


@pytest.fixture(scope="module")
def nuclei() -> NDArray[Any]:
    """(Y, X) uint16: a corner of the sample with some nuclei."""
    return load_sample("fluorescence").image[:128, :160].copy()


def open_widget(viewer: Viewer) -> SegmentWidget:
    """Open it as the menu does, which hands it a proxy of the viewer."""
    _, widget = viewer.window.add_plugin_dock_widget("napari-pffnet", "Segment")
    return widget


def segment(widget: SegmentWidget, qtbot: QtBot) -> None:
    """Click, and wait for the result."""
    qtbot.mouseClick(widget.segment_button, Qt.MouseButton.LeftButton)
    assert widget.segment_button.text() == "Cancel", widget.status.text()
    qtbot.waitUntil(lambda: widget.segment_button.text() == "Segment", timeout=TIMEOUT)


def objects(viewer: Viewer, name: str = "cells") -> Labels:
    layer = viewer.layers[f"{name} instances"]
    # Whatever was done: ids are dense, and row k is label k.
    assert len(layer.features) == layer.data.max() + 1
    areas = np.bincount(layer.data.ravel())[1:]
    assert layer.features["area"].tolist()[1:] == areas.tolist()
    return layer


# ------------------------------------------------------------------ what comes out


def test_from_the_menus_to_good_objects(viewer: Viewer, qtbot: QtBot) -> None:
    viewer.open_sample("napari-pffnet", "fluorescence")
    _, widget = viewer.window.add_plugin_dock_widget("napari-pffnet", "Segment")

    segment(widget, qtbot)

    truth = viewer.layers["fluorescence true labels"].data
    assert aji(truth, objects(viewer, "fluorescence").data) > 0.8
    assert "torch" not in sys.modules


def test_a_click_makes_two_layers_and_a_table(
    viewer: Viewer, qtbot: QtBot, nuclei: NDArray[Any]
) -> None:
    image = viewer.add_image(
        nuclei, name="cells", scale=(0.5, 0.5), translate=(3, 4), units=("um", "um")
    )
    widget = open_widget(viewer)

    segment(widget, qtbot)

    layer, semantic = objects(viewer), viewer.layers["cells semantic"]
    assert layer.data.max() == 5
    for made in (layer, semantic):
        assert made.data.shape == nuclei.shape
        assert made.scale == pytest.approx(image.scale)
        assert made.translate == pytest.approx(image.translate)
        assert made.units == image.units
    assert set(np.unique(semantic.data)) == {0, 1}
    features = layer.features
    assert {"class", "score", "quality", "confidence", "area_um2"} <= set(features)
    assert "index" not in features
    assert features["area_um2"][1] == pytest.approx(features["area"][1] / 4)
    record = layer.metadata[METADATA_KEY]["record"]
    assert len(record["weights_sha256"]) == 64
    assert record["options"]["diameter"] == "auto"
    assert record["versions"]["torch"]
    assert f"{layer.data.max()} objects" in widget.status.text()


def test_a_row_of_naparis_table_selects_the_object(
    viewer: Viewer, qtbot: QtBot, nuclei: NDArray[Any]
) -> None:
    viewer.add_image(nuclei, name="cells")
    segment(open_widget(viewer), qtbot)
    layer = objects(viewer)
    _, table = viewer.window.add_plugin_dock_widget("napari", "Features table widget")
    view = table.findChild(QTableView)
    largest = int(layer.features["area"].to_numpy().argmax())

    view.selectRow(largest)

    assert layer.selected_label == largest
    where = layer.data == layer.selected_label
    assert where.sum() == layer.features["area"][largest]


def test_nothing_found_is_a_result_too(viewer: Viewer, qtbot: QtBot) -> None:
    viewer.add_image(np.full((64, 64), 7, np.uint8), name="cells")
    widget = open_widget(viewer)

    segment(widget, qtbot)

    assert objects(viewer).data.max() == 0
    assert "No object was found" in widget.status.text()


# ---------------------------------------------------------------- kinds of images


def test_a_stack_is_segmented_plane_by_plane(
    viewer: Viewer, qtbot: QtBot, nuclei: NDArray[Any]
) -> None:
    stack = da.from_array(np.stack([nuclei, 0 * nuclei]), chunks=(1, -1, -1))
    viewer.add_image(stack, name="cells", scale=(2, 1, 1))

    segment(open_widget(viewer), qtbot)

    layer = objects(viewer)
    assert layer.data.shape == stack.shape
    assert layer.data[0].any()
    assert not layer.data[1].any()
    assert layer.features["z"].tolist()[1:] == [0] * int(layer.data.max())


def test_colour_and_pyramids(viewer: Viewer, qtbot: QtBot) -> None:
    tissue = load_sample("histology").image[:128, :128]
    viewer.add_image(tissue, name="cells", rgb=True)
    widget = open_widget(viewer)
    segment(widget, qtbot)
    whole = objects(viewer).data.copy()
    assert whole.shape == (128, 128)
    assert whole.max() > 3

    levels = [tissue, tissue[::2, ::2]]
    viewer.add_image(levels, name="pyramid", rgb=True, multiscale=True)
    segment(widget, qtbot)

    assert np.array_equal(objects(viewer, "pyramid").data, whole)


def test_a_channel_is_chosen_by_its_name(
    viewer: Viewer, qtbot: QtBot, nuclei: NDArray[Any]
) -> None:
    channels = np.zeros((5, *nuclei.shape), nuclei.dtype)
    channels[3] = nuclei
    viewer.add_image(
        channels, name="cells", axis_labels=("channel", "y", "x"),
        metadata={"channel_names": ["A", "B", "C", "D", "E"]},
    )  # fmt: skip
    widget = open_widget(viewer)
    titles = [widget.form.channel.itemText(i) for i in range(6)]
    assert titles == ["automatic", "A", "B", "C", "D", "E"]

    widget.form.channel.setCurrentText("D")
    segment(widget, qtbot)

    layer = objects(viewer)
    assert layer.data.shape == nuclei.shape
    assert layer.data.max() == 5
    options = layer.metadata[METADATA_KEY]["record"]["options"]
    assert options["channels"] == [3]


def test_only_the_rectangle_is_segmented(
    viewer: Viewer, qtbot: QtBot, nuclei: NDArray[Any]
) -> None:
    viewer.add_image(nuclei, name="cells")
    widget = open_widget(viewer)
    segment(widget, qtbot)
    whole = objects(viewer).data.copy()
    viewer.add_shapes([[[0, 80], [0, 160], [128, 160], [128, 80]]], name="part")

    widget.form.extent.setCurrentText("the selected rectangle")
    segment(widget, qtbot)

    part = objects(viewer, "cells").data
    assert np.array_equal(part, whole), "the result for the whole image is kept"
    part = viewer.layers["cells instances [1]"].data
    assert part.shape == nuclei.shape
    assert not part[:, :79].any()
    assert part[:, 80:].any()


def test_only_what_is_visible_is_segmented(
    shown_viewer: Viewer, qtbot: QtBot, nuclei: NDArray[Any]
) -> None:
    viewer = shown_viewer
    viewer.add_image(np.tile(nuclei, (4, 4)), name="cells")
    widget = open_widget(viewer)
    camera = getattr(viewer, "scene", viewer).camera
    camera.center, camera.zoom = (0, 64, 80), 6
    viewer.screenshot(flash=False)  # draws

    widget.form.extent.setCurrentText("only what is visible")
    segment(widget, qtbot)

    data = objects(viewer).data
    assert data.shape == (512, 640)
    assert data[:128, :160].any()
    assert not data[256:, 320:].any()


# ------------------------------------------------------------------ running again


def test_a_second_run_updates_the_layers(
    viewer: Viewer, qtbot: QtBot, nuclei: NDArray[Any]
) -> None:
    image = viewer.add_image(nuclei, name="cells")
    widget = open_widget(viewer)
    segment(widget, qtbot)
    layer = objects(viewer)
    layer.name = "mine"
    image.name = "renamed"

    widget.form.image.setValue(image)
    widget.form.diameter.setValue(10)
    segment(widget, qtbot)

    assert len(viewer.layers) == 3
    record = layer.metadata[METADATA_KEY]["record"]
    assert record["options"]["diameter"] == 10
    assert len(layer.features) == layer.data.max() + 1


def test_a_second_run_leaves_edited_layers_alone(
    viewer: Viewer, qtbot: QtBot, nuclei: NDArray[Any]
) -> None:
    viewer.add_image(nuclei, name="cells")
    widget = open_widget(viewer)
    segment(widget, qtbot)
    layer = objects(viewer)
    layer.paint((2, 2), 1)
    edited = layer.data.copy()

    segment(widget, qtbot)

    assert np.array_equal(layer.data, edited)
    assert "cells instances [1]" in viewer.layers
    assert "edited" in widget.status.text()


@pytest.mark.parametrize("what", ["image", "result"])
def test_layers_may_be_removed_meanwhile(
    viewer: Viewer, qtbot: QtBot, nuclei: NDArray[Any], what: str
) -> None:
    image = viewer.add_image(nuclei, name="cells")
    widget = open_widget(viewer)
    if what == "result":
        segment(widget, qtbot)

    qtbot.mouseClick(widget.segment_button, Qt.MouseButton.LeftButton)
    if what == "image":
        viewer.layers.remove(image)
    else:
        viewer.layers.remove("cells instances")
    qtbot.waitUntil(lambda: widget.segment_button.text() == "Segment", timeout=TIMEOUT)

    assert objects(viewer).data.any()


def test_the_result_lands_where_it_was_started(
    viewer: Viewer, qtbot: QtBot, nuclei: NDArray[Any]
) -> None:
    image = viewer.add_image(nuclei, name="cells", scale=(2, 2))
    widget = open_widget(viewer)

    qtbot.mouseClick(widget.segment_button, Qt.MouseButton.LeftButton)
    image.name = "other name"
    viewer.add_image(np.zeros((10, 10)), name="decoy")
    qtbot.waitUntil(lambda: widget.segment_button.text() == "Segment", timeout=TIMEOUT)

    assert objects(viewer, "other name").scale == pytest.approx((2, 2))


# ----------------------------------------------------------------------- cancel


def test_cancel_stops_and_leaves_no_layer(
    viewer: Viewer, qtbot: QtBot, nuclei: NDArray[Any]
) -> None:
    viewer.add_image(np.tile(nuclei, (6, 6)), name="cells")
    widget = open_widget(viewer)

    qtbot.mouseClick(widget.segment_button, Qt.MouseButton.LeftButton)
    qtbot.mouseClick(widget.segment_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: widget.segment_button.text() == "Segment", timeout=TIMEOUT)

    assert widget.status.text() == "Cancelled."
    assert len(viewer.layers) == 1


def test_after_the_child_died_the_next_click_works(
    viewer: Viewer, qtbot: QtBot, nuclei: NDArray[Any]
) -> None:
    viewer.add_image(nuclei, name="cells")
    widget = open_widget(viewer)
    segment(widget, qtbot)
    (child,) = psutil.Process().children()

    qtbot.mouseClick(widget.segment_button, Qt.MouseButton.LeftButton)
    child.kill()
    qtbot.waitUntil(lambda: widget.segment_button.text() == "Segment", timeout=TIMEOUT)
    assert widget.status.text() != "Cancelled."

    segment(widget, qtbot)
    assert objects(viewer).data.any()


def test_without_an_image_the_widget_says_what_to_do(
    viewer: Viewer, qtbot: QtBot
) -> None:
    widget = open_widget(viewer)

    qtbot.mouseClick(widget.segment_button, Qt.MouseButton.LeftButton)

    assert "open one" in widget.status.text()
    assert widget.segment_button.text() == "Segment"


# ---------------------------------------------------------------- live threshold


def test_sliders_hide_and_show_the_same_objects(
    viewer: Viewer, qtbot: QtBot, nuclei: NDArray[Any]
) -> None:
    viewer.add_image(nuclei, name="cells")
    widget = open_widget(viewer)
    segment(widget, qtbot)
    layer, before = objects(viewer), objects(viewer).data.copy()
    worst = int(layer.features["quality"].iloc[1:].idxmin())
    limit = np.ceil(layer.features["quality"][worst] * 100 + 1) / 100

    with qtbot.waitSignal(widget.thresholds.repainted):
        widget.thresholds.quality.setValue(limit)

    assert worst not in layer.data
    kept = layer.data > 0
    assert kept.any()
    assert np.array_equal(layer.data[kept & (before > 0)], before[kept & (before > 0)])
    with qtbot.waitSignal(widget.thresholds.repainted):
        widget.thresholds.quality.setValue(0)
    assert np.array_equal(layer.data, before)


def test_apply_numbers_anew_and_the_next_run_keeps_to_it(
    viewer: Viewer, qtbot: QtBot, nuclei: NDArray[Any]
) -> None:
    viewer.add_image(nuclei, name="cells")
    widget = open_widget(viewer)
    segment(widget, qtbot)
    qualities = objects(viewer).features["quality"].iloc[1:]
    widget.thresholds.quality.setValue(round(float(qualities.median()), 2))

    qtbot.mouseClick(widget.thresholds.apply_button, Qt.MouseButton.LeftButton)

    shown = objects(viewer)
    assert 0 < shown.data.max() < len(qualities)
    applied = shown.data.copy()
    segment(widget, qtbot)
    assert np.array_equal(objects(viewer).data, applied)


def test_an_edited_object_never_vanishes_by_a_slider(
    viewer: Viewer, qtbot: QtBot, nuclei: NDArray[Any]
) -> None:
    viewer.add_image(nuclei, name="cells")
    widget = open_widget(viewer)
    segment(widget, qtbot)
    layer = objects(viewer)
    y, x = np.argwhere(layer.data == 2)[0]
    layer.brush_size = 3
    layer.paint((y, x), 2)
    pixels = layer.data == 2

    with qtbot.waitSignal(widget.thresholds.repainted):
        widget.thresholds.quality.setValue(1)

    assert np.array_equal(layer.data == 2, pixels)
    assert set(np.unique(layer.data)) == {0, 2}


def test_a_reviewed_object_never_vanishes_by_a_slider(
    viewer: Viewer, qtbot: QtBot, nuclei: NDArray[Any]
) -> None:
    viewer.add_image(nuclei, name="cells")
    widget = open_widget(viewer)
    segment(widget, qtbot)
    layer, before = objects(viewer), objects(viewer).data.copy()
    review = ReviewWidget(viewer)
    viewer.window.add_dock_widget(review)
    review.review_button.click()
    kept = layer.selected_label
    review.objects.buttons["accept"].click()
    gone = layer.selected_label
    review.objects.buttons["reject"].click()

    for quality in (1, 0):
        with qtbot.waitSignal(widget.thresholds.repainted):
            widget.thresholds.quality.setValue(quality)
        assert np.array_equal(layer.data == kept, before == kept)
        assert gone not in layer.data
        verdicts = layer.features["verdict"]
        assert (verdicts[kept], verdicts[gone]) == ("accepted", "rejected")
    widget.thresholds.apply_button.click()

    assert np.array_equal(layer.data > 0, (before > 0) & (before != gone))
    progress = review.objects.progress
    qtbot.waitUntil(lambda: progress.format() == "2 of 5 reviewed")


# ------------------------------------------------------------------------ state


def test_choices_live_on_until_they_are_restored(
    viewer: Viewer, qtbot: QtBot, nuclei: NDArray[Any]
) -> None:
    viewer.add_image(nuclei, name="cells")
    widget = open_widget(viewer)
    widget.form.diameter.setValue(21)
    widget.thresholds.score.setValue(0.6)
    widget.form.advanced.editor("tile").setValue(256)
    segment(widget, qtbot)
    assert objects(viewer).metadata[METADATA_KEY]["record"]["score_threshold"] == 0.6

    again = open_widget(viewer)

    assert again.form.diameter.value() == 21
    assert again.thresholds.score.value() == pytest.approx(0.6)
    assert again.form.advanced.value().tile == 256
    again.restore_defaults()
    assert again.form.diameter.value() == "auto"
    assert open_widget(viewer).form.advanced.value().tile == "auto"


def test_the_diameter_is_measured_from_a_drawing(
    viewer: Viewer, nuclei: NDArray[Any]
) -> None:
    viewer.add_image(nuclei, name="cells", scale=(0.5, 0.5))
    viewer.add_shapes(
        [[[0, 0], [0, 10], [10, 10], [10, 0]]], shape_type="ellipse", name="ring"
    )
    widget = open_widget(viewer)

    widget.form.diameter.fill_menu()
    (action,) = widget.form.diameter.menu.actions()
    action.trigger()

    assert action.text() == "from ring"
    assert widget.form.diameter.value() == pytest.approx(20)


def test_objects_are_coloured_by_quality_and_back(
    viewer: Viewer, qtbot: QtBot, nuclei: NDArray[Any]
) -> None:
    viewer.add_image(nuclei, name="cells")
    widget = open_widget(viewer)
    segment(widget, qtbot)
    layer = objects(viewer)
    former = layer.colormap
    qualities = layer.features["quality"].to_numpy()
    best, worst = int(np.nanargmax(qualities)), int(np.nanargmin(qualities))

    colors = widget.colors.list
    colors.setCurrentIndex(colors.findData("quality"))

    red, blue = 0, 2
    assert layer.get_color(worst)[red] > layer.get_color(best)[red]
    assert layer.get_color(worst)[blue] < layer.get_color(best)[blue]
    colors.setCurrentIndex(0)
    assert layer.colormap is former
