"""A corner of the sample, and a click that waits for its objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_pffnet import load_sample

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


@pytest.fixture
def widget(viewer: Viewer, qtbot: QtBot, nuclei: NDArray[Any]) -> SegmentWidget:
    """The widget after it has segmented the layer "cells"."""
    viewer.add_image(nuclei, name="cells")
    widget = open_widget(viewer)
    segment(widget, qtbot)
    return widget


def objects(viewer: Viewer, name: str = "cells") -> Labels:
    layer = viewer.layers[f"{name} instances"]
    # Whatever was done: ids are dense, and row k is label k.
    assert len(layer.features) == layer.data.max() + 1
    areas = np.bincount(layer.data.ravel())[1:]
    assert layer.features["area"].tolist()[1:] == areas.tolist()
    return layer
