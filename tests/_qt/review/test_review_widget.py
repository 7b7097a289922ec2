from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

import numpy as np
import pytest
from napari.layers import Labels
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QApplication

from napari_pffnet._qt.review_object import ACTIONS
from napari_pffnet._qt.reviews import find_session

from .conftest import add_layers, click, open_widget, progress, squares

if TYPE_CHECKING:
    from napari import Viewer
    from pytestqt.qtbot import QtBot

    from napari_pffnet._qt.review_widget import ReviewWidget

# ------------------------------------------------------------- verdicts and order


def test_worst_object_comes_first_and_verdicts_lead_on(widget, layer):
    assert layer.selected_label == 3
    assert progress(widget) == "0 of 6 reviewed"
    click(widget, "accept")
    assert layer.selected_label == 5
    click(widget, "reject")
    assert layer.selected_label == 1
    assert progress(widget) == "2 of 6 reviewed"
    verdicts = layer.features["verdict"].tolist()
    assert verdicts == ["", "", "", "accepted", "", "rejected", ""]


def test_features_keep_a_row_for_each_label(widget, layer):
    click(widget, "reject")
    assert len(layer.features) == 7
    assert "index" not in layer.features
    assert not (layer.data == 3).any()


def test_undo_goes_back_to_the_object(widget, layer):
    before = layer.data.copy()
    click(widget, "reject", "undo")
    assert layer.selected_label == 3
    assert np.array_equal(layer.data, before)
    assert progress(widget) == "0 of 6 reviewed"
    click(widget, "redo")
    assert not (layer.data == 3).any()


def test_previous_shows_what_has_a_verdict_already(widget, layer):
    click(widget, "accept", "back")
    assert layer.selected_label == 3
    assert "accepted" in widget.objects.text.text()


@pytest.mark.parametrize("mode", ["pan_zoom", "pick"])
def test_object_that_is_chosen_elsewhere_is_shown(widget, layer, mode):
    layer.mode = mode
    layer.selected_label = 6
    assert "Object 6" in widget.objects.text.text()
    layer.selected_label = 0
    assert "Object 6" in widget.objects.text.text()


def test_last_object_is_told(widget):
    click(widget, *["accept"] * 6)
    assert progress(widget) == "6 of 6 reviewed"
    assert "No other object" in widget.status.text()


def test_order_by_any_column_either_way(widget, layer):
    column = widget.order.column
    column.setCurrentIndex(column.findData("quality"))
    assert layer.selected_label == 1
    widget.order.direction.click()
    assert layer.selected_label == 6


def test_filters_choose_what_is_looked_at(widget, layer):
    widget.order.border.setCurrentText("not touching the border")
    assert layer.selected_label == 5
    click(widget, "accept", "accept")
    widget.order.unreviewed.setChecked(False)
    assert layer.selected_label == 5


def test_histogram_line_limits_what_is_shown(widget, layer):
    widget.trust.limit.setChecked(True)
    widget.trust.histogram.setThreshold(0.55)
    widget.trust.histogram.thresholdChanged.emit(0.55)
    assert layer.selected_label == 1


# ------------------------------------------------------------- repairs


def test_fix_takes_the_brush_for_the_object(widget, layer):
    click(widget, "fix")
    assert (layer.mode, layer.selected_label) == ("paint", 3)
    layer.paint((25, 70), 3)
    QApplication.processEvents()
    session = find_session(layer)
    assert session.table.loc[2, "verdict"] == "fixed"
    assert session.table.loc[2, "area"] == np.count_nonzero(layer.data == 3)
    click(widget, "undo", "undo")
    assert np.array_equal(layer.data, squares())


def test_added_object_gets_the_next_number_and_a_row(widget, layer):
    click(widget, "add")
    layer.paint((30, 50), layer.selected_label)
    layer.paint((30, 54), layer.selected_label)
    QApplication.processEvents()
    assert len(layer.features) == 8
    assert layer.features.loc[7, "verdict"] == "fixed"
    assert progress(widget) == "1 of 7 reviewed"
    assert "Object 7" in widget.objects.text.text()


def test_number_of_a_rejected_object_is_not_used_again(widget, layer):
    click(widget, "reject")
    layer.selected_label = 3
    layer.paint((30, 50), 3)
    QApplication.processEvents()
    assert layer.selected_label == 7
    assert not (layer.data == 3).any()


def test_erasing_with_napari_counts(widget, layer):
    layer.fill((5, 65), 0)
    QApplication.processEvents()
    assert layer.features.loc[3, "verdict"] == "rejected"


def search(widget: ReviewWidget, qtbot: QtBot) -> None:
    """Look for missed objects, while the window goes on."""
    button = widget.misses.search_button
    button.click()
    assert not button.isEnabled(), "searched within the click"
    qtbot.waitUntil(button.isEnabled, timeout=30_000)


def test_missed_objects_are_offered_and_added(widget, layer, qtbot):
    search(widget, qtbot)
    assert widget.misses.text.text().startswith("1 place left")
    widget.misses.add_button.click()
    assert layer.data[65, 70] == 7
    assert "No place is left" in widget.misses.text.text()


def test_place_without_an_object_is_not_offered_again(widget, qtbot):
    search(widget, qtbot)
    widget.misses.dismiss_button.click()
    search(widget, qtbot)
    assert "No place is left" in widget.misses.text.text()


def test_places_of_a_review_that_has_ended_are_not_offered(widget, qtbot):
    widget.misses.search_button.click()
    widget.review_button.click()
    qtbot.waitUntil(widget.misses.search_button.isEnabled, timeout=30_000)
    assert not widget.misses.add_button.isEnabled()


def test_rectangles_and_complete_images_tell_where_to_learn(viewer, widget, layer):
    viewer.add_shapes([[[-0.5, -0.5], [-0.5, 44.5], [29.5, 44.5], [29.5, -0.5]]])
    widget.training.mark_button.click()
    session = find_session(layer)
    assert session.reviewed_area().sum() == 30 * 45 - 20 * 15
    widget.training.complete.click()
    assert session.reviewed_area().all()


def test_share_that_counts_is_found_while_the_review_goes_on(shown_viewer, qtbot):
    add_layers(shown_viewer)
    widget = open_widget(shown_viewer)
    widget.review_button.click()
    widget.folded[2].setOpen(True)
    text = widget.training.text
    qtbot.waitUntil(lambda: "from 0% of" in text.text())
    click(widget, "accept")
    assert "from 0% of" in text.text(), "measured within the click"
    qtbot.waitUntil(lambda: "from 0% of" not in text.text())
    widget.training.complete.click()
    qtbot.waitUntil(lambda: "from 100% of this image: the whole" in text.text())
    widget.review_button.click()


def test_trust_is_told_when_the_truth_is_chosen(viewer, widget, qtbot):
    truth = squares()
    truth[truth == 3] = 0
    layer = viewer.add_labels(truth, name="truth")
    text = widget.trust.text
    widget.trust.truth.setValue(layer)
    assert text.text().startswith("Comparing"), "compared within the click"
    qtbot.waitUntil(lambda: "1 of 6 objects is bad" in text.text(), timeout=30_000)


def test_trust_is_told_of_the_truth_that_was_chosen_last(viewer, widget, qtbot):
    layers = [viewer.add_labels(squares()[:side]) for side in (60, 70)]
    choice, text = widget.trust.truth, widget.trust.text
    for layer in layers:
        choice.setValue(layer)
    qtbot.waitUntil(lambda: "None of the 6" in text.text(), timeout=30_000)
    choice.setValue(layers[0])
    choice.setValue(None)
    qtbot.wait(300)
    assert "Choose true labels" in text.text()


# ------------------------------------------------------------- keys and mouse


def test_no_key_of_labels_layers_is_taken():
    ours = {key for action in ACTIONS for key in action.keys}
    taken = {str(key).replace("+", "-") for key in Labels.class_keymap}
    taken |= {"E", "P", "F", "L", "Z", "M", "X", "B", "V", "Shift-V", *"1234567"}
    assert ours & taken <= {"Control-Z", "Control-Shift-Z"}


def test_keys_work_on_the_canvas_and_are_given_back(shown_viewer, qtbot):
    layer = add_layers(shown_viewer)
    widget = open_widget(shown_viewer)
    widget.review_button.click()
    canvas = attrgetter("_qt_viewer.canvas.native")(shown_viewer.window)
    for key in (Qt.Key.Key_A, Qt.Key.Key_R, Qt.Key.Key_T):
        qtbot.keyClick(canvas, key)
    assert layer.features.loc[1, "verdict"] == "fixed"
    assert layer.features["verdict"].tolist()[3:] == ["accepted", "", "rejected", ""]
    qtbot.keyClick(canvas, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    qtbot.keyClick(canvas, Qt.Key.Key_U)
    assert (layer.data == 5).any()
    shifted = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
    qtbot.keyClick(canvas, Qt.Key.Key_Z, shifted)
    assert not (layer.data == 5).any()
    widget.review_button.click()
    assert not layer.keymap


def at(viewer: Viewer, y: float, x: float) -> QPoint:
    """Return where a pixel is drawn."""
    canvas = attrgetter("_qt_viewer.canvas.native")(viewer.window)
    camera = getattr(viewer, "scene", viewer).camera
    dy, dx = (np.array([y, x]) - camera.center[-2:]) * camera.zoom
    return QPoint(round(canvas.width() / 2 + dx), round(canvas.height() / 2 + dy))


def test_mouse_merges_splits_and_deletes(shown_viewer, qtbot):
    layer = add_layers(shown_viewer)
    widget = open_widget(shown_viewer)
    widget.zoom.setChecked(False)
    widget.review_button.click()
    canvas = attrgetter("_qt_viewer.canvas.native")(shown_viewer.window)
    qtbot.wait(50)
    left = Qt.MouseButton.LeftButton
    while layer.selected_label != 1:
        click(widget, "next")
    click(widget, "merge")
    qtbot.mouseClick(canvas, left, pos=at(shown_viewer, 10, 40))
    assert (layer.data[0:20, 0:50] == 1).all()
    click(widget, "split")
    qtbot.mousePress(canvas, left, pos=at(shown_viewer, -4, 25))
    for y in range(0, 24, 4):
        qtbot.mouseMove(canvas, at(shown_viewer, y, 25))
        qtbot.wait(5)
    qtbot.mouseRelease(canvas, left, pos=at(shown_viewer, 24, 25))
    assert set(np.unique(layer.data[0:20, 0:50])) == {1, 7}
    click(widget, "delete")
    qtbot.mouseClick(canvas, left, pos=at(shown_viewer, 10, 40))
    assert layer.mouse_pan
    assert (layer.features["verdict"] == "rejected").sum() == 1
    click(widget, *["undo"] * 3)
    assert np.array_equal(layer.data, squares())


@pytest.mark.parametrize("plane", [-1, 2])
def test_a_line_in_a_plane_without_labels_cuts_nothing(shown_viewer, qtbot, plane):
    stack = np.stack([squares(), squares()])
    shown_viewer.add_image(np.zeros((4, 70, 100), np.uint8), translate=(-1, 0, 0))
    layer = shown_viewer.add_labels(stack.copy(), name="objects")
    widget = open_widget(shown_viewer)
    widget.zoom.setChecked(False)
    widget.review_button.click()
    canvas = attrgetter("_qt_viewer.canvas.native")(shown_viewer.window)
    qtbot.wait(50)
    click(widget, "split")
    shown_viewer.dims.set_point(0, plane)
    left = Qt.MouseButton.LeftButton
    qtbot.mousePress(canvas, left, pos=at(shown_viewer, -4, 25))
    for y in range(0, 24, 4):
        qtbot.mouseMove(canvas, at(shown_viewer, y, 25))
        qtbot.wait(5)
    qtbot.mouseRelease(canvas, left, pos=at(shown_viewer, 24, 25))
    assert f"no plane {plane};" in widget.status.text()
    assert np.array_equal(layer.data, stack)
    assert shown_viewer.dims.point[0] == 1, "back at the object"
