"""The Segment widget among other docks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QScrollArea

from .conftest import open_widget

if TYPE_CHECKING:
    from napari import Viewer
    from numpy.typing import NDArray
    from pytestqt.qtbot import QtBot


def test_the_widgets_share_a_window(
    shown_viewer: Viewer, qtbot: QtBot, nuclei: NDArray[Any]
) -> None:
    viewer = shown_viewer
    viewer.add_image(nuclei, name="cells")
    widget = open_widget(viewer)
    others = [
        viewer.window.add_plugin_dock_widget("napari-pffnet", name)[1]
        for name in ("Review", "Train")
    ]

    viewer.window.resize(1200, 720)

    qtbot.waitUntil(lambda: all(other.height() > 100 for other in others))
    area = widget.findChild(QScrollArea)
    assert area.widget().width() <= area.viewport().width(), "nothing is cut off"
    button = widget.segment_button
    qtbot.waitUntil(lambda: button.visibleRegion().boundingRect() == button.rect())
