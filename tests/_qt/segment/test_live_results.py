"""What may be changed of a result: thresholds, colours; and kept choices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_pffnet._qt.layers import METADATA_KEY
from napari_pffnet._qt.results import find_result
from napari_pffnet._qt.review_widget import ReviewWidget

from .conftest import objects, open_widget, segment

if TYPE_CHECKING:
    from napari import Viewer
    from numpy.typing import NDArray
    from pytestqt.qtbot import QtBot

    from napari_pffnet._qt.segment_widget import SegmentWidget


# ---------------------------------------------------------------- live threshold


def test_sliders_hide_and_show_the_same_objects(
    viewer: Viewer, qtbot: QtBot, widget: SegmentWidget
) -> None:
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
    viewer: Viewer, qtbot: QtBot, widget: SegmentWidget
) -> None:
    qualities = objects(viewer).features["quality"].iloc[1:]
    widget.thresholds.quality.setValue(round(float(qualities.median()), 2))

    qtbot.mouseClick(widget.thresholds.apply_button, Qt.MouseButton.LeftButton)

    shown = objects(viewer)
    assert 0 < shown.data.max() < len(qualities)
    applied = shown.data.copy()
    segment(widget, qtbot)
    assert np.array_equal(objects(viewer).data, applied)


def test_a_high_number_makes_no_hidden_objects(
    viewer: Viewer, qtbot: QtBot, widget: SegmentWidget
) -> None:
    layer = objects(viewer)
    layer.paint((0, 0), 50)
    with qtbot.waitSignal(widget.thresholds.repainted):
        widget.thresholds.quality.setValue(0.01)
    assert widget.thresholds.count.text() == "6 shown"

    with qtbot.waitSignal(widget.thresholds.repainted):
        widget.thresholds.quality.setValue(1)

    assert widget.thresholds.count.text() == "1 shown, 5 hidden"
    widget.thresholds.apply_button.click()
    assert widget.thresholds.count.text() == "1 shown"
    assert len(objects(viewer).features) == 2, "the numbers between are gone"


def test_undo_after_apply_brings_no_former_number_back(
    viewer: Viewer, qtbot: QtBot, widget: SegmentWidget
) -> None:
    layer = objects(viewer)
    hidden = int(layer.features["quality"].iloc[1:].idxmin())
    erased = hidden % 5 + 1
    y, x = np.argwhere(layer.data == erased)[0]
    layer.paint((y, x), 0)
    limit = layer.features["quality"][hidden] + 0.01
    with qtbot.waitSignal(widget.thresholds.repainted):
        widget.thresholds.quality.setValue(np.ceil(limit * 100) / 100)
    widget.thresholds.apply_button.click()
    applied = layer.data.copy()
    layer.paint((0, 0), 1)

    layer.undo()
    assert np.array_equal(layer.data, applied), "what came later can be taken back"
    layer.undo()

    assert np.array_equal(layer.data, applied)
    assert objects(viewer).data.max() > 1


def test_redo_after_the_next_run_brings_no_former_stroke_back(
    viewer: Viewer, qtbot: QtBot, widget: SegmentWidget
) -> None:
    layer = objects(viewer)
    layer.paint((2, 2), 1)
    layer.undo()
    segment(widget, qtbot)
    found = objects(viewer).data.copy()

    layer.redo()

    assert np.array_equal(layer.data, found)


def test_an_edited_object_never_vanishes_by_a_slider(
    viewer: Viewer, qtbot: QtBot, widget: SegmentWidget
) -> None:
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
    viewer: Viewer, qtbot: QtBot, widget: SegmentWidget
) -> None:
    layer, before = objects(viewer), objects(viewer).data.copy()
    review = ReviewWidget(viewer)
    viewer.window.add_dock_widget(review)
    review.review_button.click()
    result = find_result(layer)
    assert result is not None
    assert not result.is_edited, "nothing was said yet"
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
    viewer: Viewer, widget: SegmentWidget
) -> None:
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
