"""Repairs with the mouse: merge, split, delete."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from napari_pffnet._qt.review_view import path_segments

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari.layers import Labels
    from napari.utils.events import Event
    from numpy.typing import NDArray

    from napari_pffnet._qt.review_view import ObjectView

ToolName = Literal["merge", "split", "delete"]


class MouseTool:
    """What the next click or line on a layer does; one at a time.

    Parameters
    ----------
    layer
        On which is clicked.
    view
        Draws the line while it is drawn.
    on_click
        Gets the tool's name and the label that was clicked.
    on_line
        Gets the points of a drawn line, (K, ndim) pixels of the layer, whole
        numbers being the middles of pixels.
    """

    def __init__(
        self,
        layer: Labels,
        view: ObjectView,
        on_click: Callable[[ToolName, int], None],
        on_line: Callable[[NDArray[np.float64]], None],
    ) -> None:
        self._layer, self._view = layer, view
        self._on_click, self._on_line = on_click, on_line
        self.name: ToolName | None = None

    def take(self, name: ToolName) -> None:
        """Let the next click or line do something."""
        self.drop()
        self.name = name
        self._layer.mode = "pan_zoom"
        self._layer.mouse_drag_callbacks.append(self._on_mouse)
        # A line is drawn with the button down, which would move the picture.
        self._layer.mouse_pan = name != "split"

    def drop(self) -> None:
        """Give the mouse back."""
        if self.name is not None:
            self.name = None
            self._layer.mouse_drag_callbacks.remove(self._on_mouse)
            self._layer.mouse_pan = True

    def _on_mouse(self, layer: Labels, event: Event) -> Iterator[None]:
        points = [layer.world_to_data(event.position)]
        yield
        while event.type == "mouse_move":
            points.append(layer.world_to_data(event.position))
            if self.name == "split":
                self._view.draw(path_segments(np.array(points)))
            yield
        name, path = self.name, np.array(points)
        if name == "split" and len(path) > 1:
            self.drop()
            self._on_line(path)
        elif name in ("merge", "delete") and _is_click(path):
            label = _label_at(layer, path[0])
            if label:
                self.drop()
                self._on_click(name, label)


def _is_click(path: NDArray[np.float64]) -> bool:
    return bool(np.abs(path - path[0]).max() < 1)


def _label_at(layer: Labels, point: NDArray[np.float64]) -> int:
    index = tuple(np.round(point).astype(int).tolist())
    is_inside = all(0 <= i < n for i, n in zip(index, layer.data.shape, strict=True))
    return int(layer.data[index]) if is_inside else 0
