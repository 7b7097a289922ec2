"""The viewer that stands behind the one that napari hands to widgets."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari import Viewer


def own_viewer(napari_viewer: Viewer) -> Viewer:
    """Return the viewer itself.

    napari gives a widget from the menu a proxy.  Its layers are proxies too, made anew
    at every look: they are not the layers that events name, and nothing can be
    remembered of them.
    """
    viewer: Viewer = getattr(napari_viewer, "__wrapped__", napari_viewer)
    return viewer
