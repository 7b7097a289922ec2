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
from napari_pffnet._qt.results import find_result
from napari_pffnet.evaluation import aji

from .conftest import TIMEOUT, objects, open_widget, segment

if TYPE_CHECKING:
    from napari import Viewer
    from numpy.typing import NDArray
    from pytestqt.qtbot import QtBot

    from napari_pffnet._qt.segment_widget import SegmentWidget


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


def test_a_layer_is_known_as_ours_when_it_appears(
    viewer: Viewer, qtbot: QtBot, nuclei: NDArray[Any]
) -> None:
    image = viewer.add_image(nuclei, name="cells")
    seen: list[str] = []
    viewer.layers.events.inserted.connect(
        lambda event: seen.append(event.value.metadata[METADATA_KEY]["image"])
    )

    segment(open_widget(viewer), qtbot)

    assert seen == [image.name, image.name]


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
    viewer: Viewer, qtbot: QtBot, widget: SegmentWidget
) -> None:
    layer = objects(viewer)
    layer.paint((2, 2), 1)
    edited = layer.data.copy()

    segment(widget, qtbot)

    assert np.array_equal(layer.data, edited)
    assert "cells instances [1]" in viewer.layers
    assert "edited" in widget.status.text()


@pytest.mark.parametrize("edit", ["classes", "column", "class"])
def test_a_second_run_leaves_kinds_alone_that_the_user_gave(
    viewer: Viewer, qtbot: QtBot, widget: SegmentWidget, edit: str
) -> None:
    layer, classes = objects(viewer), viewer.layers["cells semantic"]
    if edit == "classes":
        classes.paint((2, 2), 2)
    elif edit == "column":
        layer.features["kind"] = "round"
    else:
        layer.features = layer.features.assign(**{"class": "round"})
    # What the slider shows anew has to keep it, too.
    with qtbot.waitSignal(widget.thresholds.repainted):
        widget.thresholds.quality.setValue(0.01)
    painted, table = classes.data.copy(), layer.features.copy()

    segment(widget, qtbot)

    assert np.array_equal(classes.data, painted)
    assert layer.features.equals(table)
    assert edit == "classes" or "round" in table.iloc[1].tolist()
    assert {"cells instances [1]", "cells semantic [1]"} < {
        made.name for made in viewer.layers
    }
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


@pytest.mark.parametrize("is_new", [True, False])
def test_the_result_follows_an_image_that_is_moved_meanwhile(
    viewer: Viewer, qtbot: QtBot, nuclei: NDArray[Any], is_new: bool
) -> None:
    channels = np.stack([0 * nuclei, nuclei])
    labels = ("channel", "y", "x")
    image = viewer.add_image(channels, name="cells", axis_labels=labels)
    widget = open_widget(viewer)
    if not is_new:
        segment(widget, qtbot)

    qtbot.mouseClick(widget.segment_button, Qt.MouseButton.LeftButton)
    image.scale, image.translate = (1, 3, 3), (0, 40, 50)
    qtbot.waitUntil(lambda: widget.segment_button.text() == "Segment", timeout=TIMEOUT)

    for layer in (objects(viewer), viewer.layers["cells semantic"]):
        assert layer.scale == pytest.approx((3, 3))
        assert layer.translate == pytest.approx((40, 50))
    assert "shape" not in widget.status.text()


def test_it_is_told_that_the_image_has_another_shape_by_now(
    viewer: Viewer, qtbot: QtBot, widget: SegmentWidget, nuclei: NDArray[Any]
) -> None:
    image, first = viewer.layers["cells"], objects(viewer).data.copy()

    widget.form.image.setValue(image)
    qtbot.mouseClick(widget.segment_button, Qt.MouseButton.LeftButton)
    image.data, image.scale = nuclei[:50, :60], (3, 3)
    qtbot.waitUntil(lambda: widget.segment_button.text() == "Segment", timeout=TIMEOUT)

    made = viewer.layers["cells instances [1]"]
    assert np.array_equal(made.data, first)
    assert made.scale == pytest.approx((1, 1))
    assert "“cells” has another shape than at the start" in widget.status.text()
    result = find_result(made)
    assert result is not None
    assert result.image is None, "its pixels are not those of the objects"


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
    viewer: Viewer, qtbot: QtBot, widget: SegmentWidget
) -> None:
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
