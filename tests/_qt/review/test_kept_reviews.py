from __future__ import annotations

from operator import attrgetter
from threading import Event, Timer
from typing import TYPE_CHECKING

import numpy as np
import pytest
from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QApplication

from napari_pffnet._qt.layers import features_from_table
from napari_pffnet._qt.review_object import ACTIONS
from napari_pffnet._qt.review_widget import ReviewWidget
from napari_pffnet._qt.reviews import find_session, load_session
from napari_pffnet.review.store import ReviewFolder
from napari_pffnet.review.table import measure_plane

from .conftest import add_layers, click, open_widget, progress, squares, table_of

if TYPE_CHECKING:
    import pandas as pd
    from napari import Viewer
    from numpy.typing import NDArray

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


def reviewed_alone(viewer: Viewer, *leading: int) -> ReviewWidget:
    """Review squares in an image of more axes, and ask for it with the image only."""
    plane = np.arange(7000, dtype=np.uint16).reshape(70, 100)
    image = viewer.add_image(np.broadcast_to(plane, (*leading, 70, 100)), name="cells")
    layer = viewer.add_labels(squares(), name="mine", scale=(0.5, 0.5))
    widget = open_widget(viewer)
    widget.image.setValue(image)
    widget.review_button.click()
    click(widget, "reject")
    widget.review_button.click()
    viewer.layers.remove(layer)
    widget.image.setValue(image)
    widget.review_button.click()
    return widget


def test_image_of_two_channels_alone_brings_its_review_back(viewer):
    widget = reviewed_alone(viewer, 2)
    assert progress(widget) == "1 of 6 reviewed", widget.status.text()
    assert viewer.layers["cells instances"].data.shape == (70, 100)


def test_review_that_does_not_fit_its_image_says_what_to_open(viewer):
    widget = reviewed_alone(viewer, 2, 3)
    assert "(70, 100), which does not fit 'cells'" in widget.status.text()
    assert "labels.tif" in widget.status.text()
    assert [x.name for x in viewer.layers] == ["cells"]


def test_other_programs_find_the_state(widget, layer, qtbot):
    click(widget, "reject")
    folder = attrgetter("_run.bound.folder.path")(widget)

    def is_written() -> bool:
        file = folder / "objects.csv"
        return file.exists() and "rejected" in file.read_text()

    qtbot.waitUntil(is_written, timeout=5000)
    assert (folder / "labels.tif").exists()


def test_the_state_for_others_is_written_one_at_a_time(
    viewer, layer, qtbot, monkeypatch
):
    started, written, gate = [], [], Event()

    def write(_: ReviewFolder, labels: NDArray[np.int32], table: pd.DataFrame) -> None:
        verdicts = int((table["verdict"] != "").sum())
        started.append(verdicts)
        assert gate.wait(10)
        written.append(verdicts)

    monkeypatch.setattr(ReviewFolder, "write_view", write)
    monkeypatch.setattr("napari_pffnet._qt.review_layer._VIEW_PAUSE_MS", 10)
    widget = open_widget(viewer)
    widget.review_button.click()
    click(widget, "accept")
    qtbot.waitUntil(lambda: started == [1])
    click(widget, "accept")
    qtbot.wait(100)
    assert started == [1], "while the one before was still written"
    gate.set()
    qtbot.waitUntil(lambda: written == [1, 2])
    gate.clear()
    click(widget, "accept")
    qtbot.waitUntil(lambda: started == [1, 2, 3])
    click(widget, "accept")
    Timer(0.1, gate.set).start()
    widget.review_button.click()
    assert written == [1, 2, 3, 4]


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


@pytest.mark.parametrize("how", ["cross", "by program"])
def test_closing_the_dock_ends_the_review(viewer, layer, how):
    widget = ReviewWidget(viewer)
    dock = viewer.window.add_dock_widget(widget, name="Review")
    widget.review_button.click()
    click(widget, "accept")
    if how == "cross":
        dock.titleBarWidget().close_button.click()
    else:
        viewer.window.remove_dock_widget(widget)
    assert not layer.keymap
    assert "object under review" not in viewer.layers
    second = open_widget(viewer)
    second.layer.setValue(layer)
    second.review_button.click()
    widget.deleteLater()
    QApplication.sendPostedEvents(widget, QEvent.Type.DeferredDelete)
    assert len(layer.keymap) == sum(len(action.keys) for action in ACTIONS)
    click(second, "accept")
    assert progress(second) == "2 of 6 reviewed"


def test_dock_that_is_hidden_or_floats_keeps_the_review(shown_viewer):
    layer = add_layers(shown_viewer)
    widget = ReviewWidget(shown_viewer)
    dock = shown_viewer.window.add_dock_widget(widget, name="Review")
    widget.review_button.click()
    dock.setFloating(True)
    dock.setFloating(False)
    dock.titleBarWidget().hide_button.click()
    assert not widget.isVisible()
    assert layer.keymap
    dock.show()
    click(widget, "accept")
    assert progress(widget) == "1 of 6 reviewed"


def test_keys_that_others_took_are_left_to_them(widget, layer):
    def theirs(_: object) -> None: ...

    layer.bind_key("A", theirs, overwrite=True)
    widget.review_button.click()
    assert list(layer.keymap.values()) == [theirs]


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


def test_objects_are_measured_once_when_a_review_begins(viewer, layer, monkeypatch):
    widget = open_widget(viewer)
    measured = []

    def counting(labels: NDArray[np.int32]) -> pd.DataFrame:
        measured.append(labels.shape)
        return measure_plane(labels)

    monkeypatch.setattr("napari_pffnet.review.table.measure_plane", counting)
    widget.review_button.click()
    assert progress(widget) == "0 of 6 reviewed"
    assert measured == [layer.data.shape], "it takes a while in a large image"


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


def test_next_review_is_of_the_same_layer(viewer, widget, layer):
    viewer.layers.selection.active = viewer.layers["cells semantic"]
    assert widget.layer.value() is layer
    widget.review_button.click()
    assert widget.layer.value() is layer


def test_class_map_of_ours_is_not_offered(viewer, layer):
    viewer.add_shapes()
    widget = open_widget(viewer)
    viewer.layers.selection.active = layer
    semantic = viewer.layers["cells semantic"]
    assert widget.layer.count() == 2
    # A segmentation says what its layers are once both are there.
    semantic.metadata["napari_pffnet"] = {"record": None}
    viewer.layers.selection.active = semantic
    assert widget.layer.value() is layer
    assert widget.layer.count() == 1
