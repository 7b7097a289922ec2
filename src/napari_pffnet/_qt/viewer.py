"""What napari tells of its viewer in no one public place."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari import Viewer
    from napari.components import Camera


def own_viewer(napari_viewer: Viewer) -> Viewer:
    """Return the viewer behind the one that napari hands to widgets.

    A widget from the menu gets a proxy.  Its layers are proxies too, made anew at
    every look: they are not the layers that events name, and nothing can be
    remembered of them.
    """
    viewer: Viewer = getattr(napari_viewer, "__wrapped__", napari_viewer)
    return viewer


def camera_of(viewer: Viewer) -> Camera:
    """Return the camera, which napari moved into a scene with 0.9."""
    return getattr(viewer, "scene", viewer).camera


def canvas_size(viewer: Viewer) -> tuple[float, float]:
    """Return height and width of the canvas in pixels of the screen."""
    height, width = attrgetter("_qt_viewer.canvas.size")(viewer.window)
    return float(height), float(width)
