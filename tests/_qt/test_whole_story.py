"""From the menu to a better model, as a biologist would click it."""

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


def be_lenient_for_a_moment(widget: Any, layer: Labels, qtbot: QtBot) -> None:
    """Move the slider down and back: more objects, without running the network."""
    rows = len(layer.features)
    widget.thresholds.score.setValue(0.05)
    qtbot.waitUntil(lambda: len(layer.features) > rows, timeout=5000)
    widget.thresholds.reset_button.click()
    widget.thresholds.apply_button.click()
    qtbot.waitUntil(lambda: len(layer.features) == rows, timeout=5000)


def judge(layer: Labels, buttons: Any) -> dict[int, str]:
    """Accept the worst object, reject the next, also once more after undoing it."""
    worst = layer.selected_label
    buttons["accept"].click()
    rejected = layer.selected_label
    pixels = layer.data == rejected
    buttons["reject"].click()
    assert not (layer.data == rejected).any()
    buttons["undo"].click()
    assert ((layer.data == rejected) == pixels).all()
    buttons["reject"].click()
    return {worst: "accepted", rejected: "rejected"}


def fix(layer: Labels, buttons: Any) -> dict[int, str]:
    """Paint on an object with napari's brush."""
    fixed = layer.selected_label
    buttons["fix"].click()
    assert layer.mode == "paint"
    y, x = (int(v) for v in np.argwhere(layer.data == fixed)[0])
    layer.paint((y, x), fixed)
    return {fixed: "fixed"}


def train(widget: Any, name: str, qtbot: QtBot) -> None:
    """Train for two steps, and keep the model."""
    widget.form.steps.setValue(2)
    small = {"crop_size": 64, "batch_size": 1, "rehearsal": 0.0}
    options = widget.form.advanced.value().model_copy(update=small)
    widget.form.advanced.setValue(options)
    click(widget.train_button, qtbot)
    qtbot.waitUntil(lambda: widget.keep.isVisibleTo(widget), timeout=PATIENCE)
    widget.keep.name.setText(name)
    widget.keep.keep_button.click()
    qtbot.waitUntil(lambda: "Kept" in widget.status.text(), timeout=10_000)


def test_segment_review_train_and_segment_again(viewer: Viewer, qtbot: QtBot) -> None:
    open_corner(viewer)

    segmenting = open_from_menu(viewer, "Segment")
    layer = segment(viewer, segmenting, qtbot)
    assert len(layer.features) == layer.data.max() + 1 > 4
    be_lenient_for_a_moment(segmenting, layer, qtbot)

    reviewing = open_from_menu(viewer, "Review")
    click(reviewing.review_button, qtbot)
    assert find_session(layer) is not None, reviewing.status.text()
    buttons = reviewing.objects.buttons
    verdicts = judge(layer, buttons) | fix(layer, buttons)
    click(reviewing.review_button, qtbot)
    assert {i: layer.features["verdict"][i] for i in verdicts} == verdicts

    train(open_from_menu(viewer, "Train"), "mine", qtbot)

    # What was reviewed stays; the new result comes beside it.
    viewer.layers.selection.active = viewer.layers["cells"]
    segmenting.form.model.setValue("mine")
    assert segmenting.form.model.value() == "mine"
    again = segment(viewer, segmenting, qtbot)
    assert again is not layer
    assert layer in viewer.layers
