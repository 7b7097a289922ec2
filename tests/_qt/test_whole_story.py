"""From the menu to a better model, as a biologist would click: real model, real child."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Qt

from napari_pffnet._qt.reviews import find_session

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Image, Labels
    from pytestqt.qtbot import QtBot

PATIENCE = 300_000
PLUGIN = "napari-pffnet"


def open_from_menu(viewer: Viewer, name: str) -> Any:
    """Open a widget as the menu does, which hands it a proxy of the viewer."""
    return viewer.window.add_plugin_dock_widget(PLUGIN, name)[1]


def open_corner(viewer: Viewer) -> Image:
    """Open the sample, and keep a corner of it: quick to segment and to train on."""
    viewer.open_sample(PLUGIN, "fluorescence")
    image = viewer.layers["fluorescence"]
    corner = image.data[:192, :192].copy()
    viewer.layers.clear()
    return viewer.add_image(corner, name="cells")


def click(button: Any, qtbot: QtBot) -> None:
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def segment(viewer: Viewer, widget: Any, qtbot: QtBot) -> Labels:
    click(widget.segment_button, qtbot)
    assert widget.segment_button.text() == "Cancel", widget.status.text()
    qtbot.waitUntil(lambda: widget.segment_button.text() == "Segment", timeout=PATIENCE)
    return viewer.layers.selection.active


def test_segment_review_train_and_segment_again(viewer: Viewer, qtbot: QtBot) -> None:
    open_corner(viewer)

    # Segment, and be more lenient without running the network again.
    segmenting = open_from_menu(viewer, "Segment")
    layer = segment(viewer, segmenting, qtbot)
    found = int(layer.data.max())
    assert found > 3
    assert len(layer.features) == found + 1
    segmenting.thresholds.score.setValue(0.3)
    qtbot.waitUntil(lambda: len(layer.features) > found + 1, timeout=5000)
    segmenting.thresholds.reset_button.click()
    segmenting.thresholds.apply_button.click()
    qtbot.waitUntil(lambda: len(layer.features) == found + 1, timeout=5000)

    # Review: accept the worst, reject the next, and take that back; reject again.
    reviewing = open_from_menu(viewer, "Review")
    click(reviewing.review_button, qtbot)
    session = find_session(layer)
    assert session is not None, reviewing.status.text()
    buttons = reviewing.objects.buttons
    worst = layer.selected_label
    buttons["accept"].click()
    rejected = layer.selected_label
    pixels = layer.data == rejected
    buttons["reject"].click()
    assert not (layer.data == rejected).any()
    buttons["undo"].click()
    assert ((layer.data == rejected) == pixels).all()
    buttons["reject"].click()
    verdicts = layer.features["verdict"]
    assert verdicts[worst] == "accepted"
    assert verdicts[rejected] == "rejected"

    # Fix one with napari's brush.
    fixed = layer.selected_label
    buttons["fix"].click()
    assert layer.mode == "paint"
    y, x = (int(v) for v in np.argwhere(layer.data == fixed)[0])
    layer.paint((y, x), fixed)
    click(reviewing.review_button, qtbot)
    assert layer.features["verdict"][fixed] == "fixed"

    # Train on what was reviewed, and keep the model.
    training = open_from_menu(viewer, "Train")
    training.form.steps.setValue(2)
    small = {"crop_size": 64, "batch_size": 1, "rehearsal": 0.0}
    options = training.form.advanced.value().model_copy(update=small)
    training.form.advanced.setValue(options)
    click(training.train_button, qtbot)
    qtbot.waitUntil(lambda: training.keep.isVisibleTo(training), timeout=PATIENCE)
    training.keep.name.setText("mine")
    training.keep.keep_button.click()
    qtbot.waitUntil(lambda: "Kept" in training.status.text(), timeout=10_000)

    # Segment with it: what was reviewed stays, the new result comes beside it.
    viewer.layers.selection.active = viewer.layers["cells"]
    segmenting.form.model.setValue("mine")
    assert segmenting.form.model.value() == "mine"
    again = segment(viewer, segmenting, qtbot)
    assert again is not layer
    assert layer in viewer.layers
