from __future__ import annotations

from operator import attrgetter
from time import thread_time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari.layers import Labels
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QApplication

from napari_pffnet._qt.layers import features_from_table
from napari_pffnet._qt.review_object import ACTIONS
from napari_pffnet._qt.review_widget import ReviewWidget
from napari_pffnet._qt.reviews import find_session, load_session
from napari_pffnet.instances import Instances

if TYPE_CHECKING:
    import pandas as pd
    from napari import Viewer
    from numpy.typing import NDArray

# Of the objects 1..6: the third is the worst, then the fifth.
CONFIDENCES = (0.9, 0.8, 0.1, 0.7, 0.3, 0.6)


def squares() -> NDArray[np.int32]:
    """Six squares of 20 px in two rows; 1 and 2 touch, all but 6 at the border."""
    labels = np.zeros((70, 100), np.int32)
    for i in range(6):
        row, column = divmod(i, 3)
        labels[row * 40 : row * 40 + 20, column * 30 : column * 30 + 20] = i + 1
    labels[0:20, 20:30] = 1
    return labels


def table_of(labels: NDArray[Any]) -> pd.DataFrame:
    found = Instances.from_labels(
        labels, scores=CONFIDENCES, qualities=np.linspace(0.5, 1, 6)
    )
    return found.to_table(labels, np.arange(6), ["nucleus"])


def add_layers(viewer: Viewer) -> Labels:
    labels = squares()
    image = np.random.default_rng(0).integers(0, 200, labels.shape).astype(np.uint8)
    viewer.add_image(image, name="cells")
    semantic = (labels > 0).astype(np.uint8)
    semantic[60:70, 60:80] = 1
    viewer.add_labels(semantic, name="cells semantic", visible=False)
    layer = viewer.add_labels(labels, name="cells instances")
    layer.features = features_from_table(table_of(labels))
    return layer


def open_widget(viewer: Viewer) -> ReviewWidget:
    widget = ReviewWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Review")
    return widget


@pytest.fixture
def layer(viewer) -> Labels:
    return add_layers(viewer)


@pytest.fixture
def widget(viewer, layer) -> ReviewWidget:
    widget = open_widget(viewer)
    widget.review_button.click()
    return widget


def click(widget: ReviewWidget, *names: str) -> None:
    for name in names:
        widget.objects.buttons[name].click()


def progress(widget: ReviewWidget) -> str:
    return widget.objects.progress.format()


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


def test_missed_objects_are_offered_and_added(widget, layer):
    widget.misses.search_button.click()
    assert widget.misses.text.text().startswith("1 place left")
    widget.misses.add_button.click()
    assert layer.data[65, 70] == 7
    assert "No place is left" in widget.misses.text.text()


def test_place_without_an_object_is_not_offered_again(widget):
    widget.misses.search_button.click()
    widget.misses.dismiss_button.click()
    widget.misses.search_button.click()
    assert "No place is left" in widget.misses.text.text()


def test_rectangles_and_complete_images_tell_where_to_learn(viewer, widget, layer):
    viewer.add_shapes([[[-0.5, -0.5], [-0.5, 44.5], [29.5, 44.5], [29.5, -0.5]]])
    widget.training.mark_button.click()
    session = find_session(layer)
    assert session.reviewed_area().sum() == 30 * 45 - 20 * 15
    widget.training.complete.click()
    assert session.reviewed_area().all()


def test_trust_is_told_when_the_truth_is_chosen(viewer, widget):
    truth = squares()
    truth[truth == 3] = 0
    layer = viewer.add_labels(truth, name="truth")
    widget.trust.truth.setValue(layer)
    assert "1 of 6 objects is bad" in widget.trust.text.text()


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


# ------------------------------------------------------------- kept and found again


def test_layer_saved_by_napari_finds_its_review(viewer, widget, layer, tmp_path):
    click(widget, "accept")
    layer.save(str(tmp_path / "mine.tif"))
    click(widget, "reject")
    widget.review_button.click()
    viewer.layers.remove(layer)
    (opened,) = viewer.open(tmp_path / "mine.tif", layer_type="labels")
    assert load_session(opened, viewer.layers["cells"]).progress.reviewed == 2
    widget.layer.setValue(opened)
    widget.review_button.click()
    assert "2 of 6 reviewed" in widget.status.text()
    assert not (opened.data == 5).any()
    click(widget, "undo")
    assert (opened.data == 5).any()


def test_image_that_was_opened_later_is_found(viewer):
    layer = viewer.add_labels(squares(), name="cells instances")
    widget = open_widget(viewer)
    viewer.add_image(np.zeros((70, 100)), name="cells")
    viewer.layers.selection.active = layer
    widget.review_button.click()
    assert widget.image.value() is viewer.layers["cells"]
    widget.misses.search_button.click()
    assert "Choose the class map" in widget.misses.text.text()


def test_image_alone_brings_its_review_back(viewer, widget, layer):
    click(widget, "reject")
    widget.review_button.click()
    viewer.layers.remove(layer)
    viewer.layers.remove(viewer.layers["cells semantic"])
    widget.image.setValue(viewer.layers["cells"])
    widget.review_button.click()
    assert progress(widget) == "1 of 6 reviewed"
    assert viewer.layers["cells instances"].features.loc[3, "verdict"] == "rejected"


def test_other_programs_find_the_state(widget, layer, qtbot):
    click(widget, "reject")
    folder = attrgetter("_run.bound.folder.path")(widget)

    def is_written() -> bool:
        file = folder / "objects.csv"
        return file.exists() and "rejected" in file.read_text()

    qtbot.waitUntil(is_written, timeout=5000)
    assert (folder / "labels.tif").exists()


def test_choices_are_kept_and_restored(viewer, widget):
    widget.order.direction.click()
    widget.zoom.setChecked(False)
    second = open_widget(viewer)
    assert not second.zoom.isChecked()
    second.restore_button.click()
    assert second.zoom.isChecked()
    assert second.order.is_ascending()


# ------------------------------------------------------------- what others change


def test_live_threshold_is_taken_over(widget, layer, qtbot):
    click(widget, "accept")
    table = table_of(squares())
    table["verdict"] = layer.features["verdict"].tolist()[1:]
    table.loc[0, "area"] = 0
    layer.data[layer.data == 1] = 0
    layer.features = features_from_table(table)
    qtbot.waitUntil(lambda: progress(widget) == "1 of 5 reviewed", timeout=3000)
    click(widget, "undo")
    assert progress(widget) == "0 of 5 reviewed"


def test_layer_that_is_removed_ends_the_review(viewer, widget, layer):
    click(widget, "accept")
    viewer.layers.remove(layer)
    assert widget.review_button.text() == "Review"
    assert "removed" in widget.status.text()
    assert [x.name for x in viewer.layers] == ["cells", "cells semantic"]


def test_other_objects_end_the_review(widget, layer):
    layer.data = np.zeros((70, 100), np.int32)
    assert widget.review_button.text() == "Review"
    assert find_session(layer) is None
    assert "other objects" in widget.status.text()


def test_outline_that_was_deleted_comes_back(viewer, widget):
    viewer.layers.remove(viewer.layers["object under review"])
    click(widget, "next")
    assert "object under review" in viewer.layers


def test_renamed_layer_stays_under_review(widget, layer):
    layer.name = "mine"
    click(widget, "accept")
    assert progress(widget) == "1 of 6 reviewed"


# ------------------------------------------------------------- other layers


def test_plain_labels_are_reviewed_from_the_smallest_on(viewer):
    labels = squares().astype(np.uint8)
    labels[60, 20:30] = 0
    labels[40:44, 0:20] = 0
    layer = viewer.add_labels(labels)
    widget = open_widget(viewer)
    widget.review_button.click()
    assert layer.selected_label == 4
    assert layer.data.dtype == np.int32
    assert "area" in widget.order.column.currentText()


def test_empty_layer_has_nothing_to_review(viewer):
    viewer.add_labels(np.zeros((20, 20), np.int32))
    widget = open_widget(viewer)
    widget.review_button.click()
    assert progress(widget) == "0 of 0 reviewed"
    click(widget, "next", "add", "split", "undo")


def test_objects_of_a_stack_bring_their_plane(viewer):
    plane = squares()
    stack = np.stack([plane, np.where(plane > 0, plane + 6, 0)])
    stack[1, 0:5] = 0
    layer = viewer.add_labels(stack, scale=(2, 0.5, 0.5))
    widget = open_widget(viewer)
    widget.review_button.click()
    assert layer.selected_label in (7, 8, 9)
    assert viewer.dims.current_step[0] == 1
    click(widget, "reject")
    assert np.array_equal(stack[0], plane)


def test_lazy_labels_are_refused_with_a_sentence(viewer):
    dask = pytest.importorskip("dask.array", reason="dask is not installed")
    viewer.add_labels(dask.zeros((20, 20), dtype=np.int32))
    widget = open_widget(viewer)
    widget.review_button.click()
    assert "in memory" in widget.status.text()


def test_two_layers_alike_have_a_review_each(viewer, widget, layer):
    click(widget, "accept")
    copy = viewer.add_labels(layer.data.copy(), name="copy")
    second = open_widget(viewer)
    second.layer.setValue(copy)
    second.review_button.click()
    click(second, "reject")
    click(widget, "accept")
    assert progress(widget) == "2 of 6 reviewed"


def test_five_thousand_objects_are_quick(shown_viewer):
    labels = np.zeros((1440, 1440), np.int32)
    ids = np.arange(72 * 72).reshape(72, 72) + 1
    labels.reshape(72, 20, 72, 20)[:, 3:17, :, 3:17] = ids[:, None, :, None]
    layer = shown_viewer.add_labels(labels)
    widget = open_widget(shown_viewer)
    widget.review_button.click()
    seconds = []
    for name in ["next"] * 10 + ["accept"] * 10 + ["reject"] * 10:
        # The time of this thread alone: other programs use the machine too.
        start = thread_time()
        click(widget, name)
        seconds.append(thread_time() - start)
    assert layer.selected_label > 0
    assert np.median(seconds) < 0.1
