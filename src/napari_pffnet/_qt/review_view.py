"""Shows one object: plane, camera, outline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_pffnet._qt.placement import Placement
from napari_pffnet._qt.viewer import camera_of, canvas_size

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Labels, Vectors
    from numpy.typing import NDArray

    from napari_pffnet.review import Rectangle

OUTLINE_NAME = "object under review"
# An object fills a fifth of the canvas: its neighbours tell as much as itself.
_PART_OF_CANVAS = 5
_LARGEST_PIXEL = 40
_WIDTH = 2.5
_VISIBLE = 0.1
_COLOR = "#ffd400"


class ObjectView:
    """Moves the viewer to objects of a layer, and draws around them.

    Parameters
    ----------
    viewer
        Where the layer is.
    layer
        The objects.
    usual_size
        Side of a typical object, pixels: smaller ones are not shown any larger.
    """

    def __init__(self, viewer: Viewer, layer: Labels, usual_size: float) -> None:
        self._viewer, self._layer, self._usual_size = viewer, layer, usual_size
        self._outline: Vectors | None = None
        self._canvas = canvas_size(viewer)

    def show(self, place: Rectangle, mask: NDArray[np.bool_], *, zoom: bool) -> None:
        """Go to an object and draw its outline.

        Parameters
        ----------
        place, mask
            The rectangle around it and its pixels there.
        zoom
            Whether to set the camera's zoom too.
        """
        middle = [*place.plane, (place.y0 + place.y1 - 1) / 2]
        middle.append((place.x0 + place.x1 - 1) / 2)
        world = self._layer.data_to_world(middle)
        shift = self._viewer.dims.ndim - self._layer.ndim
        for axis in range(len(place.plane)):
            self._viewer.dims.set_point(shift + axis, world[axis])
        camera = camera_of(self._viewer)
        shown = [axis - shift for axis in self._viewer.dims.displayed]
        # Of an axis that only other layers have, nothing is known.
        camera.center = tuple(world[axis] if axis >= 0 else 0.0 for axis in shown)
        if zoom:
            camera.zoom = self._fitting_zoom(place)
        self.draw(outline(mask, place))

    def draw(self, segments: NDArray[np.float64]) -> None:
        """Draw segments, (N, 2, ndim): starts and directions in the layer's pixels."""
        drawn = self._drawn()
        pixel = abs(float(self._layer.scale[-1]))
        width = _WIDTH / (camera_of(self._viewer).zoom * pixel)
        # napari draws everything anew for another width.
        if abs(width / drawn.edge_width - 1) > _VISIBLE:
            drawn.edge_width = width
        drawn.data = segments

    def clear(self) -> None:
        """Draw nothing."""
        if self._outline is not None and self._outline in self._viewer.layers:
            self._outline.data = np.zeros((0, 2, self._layer.ndim))

    def close(self) -> None:
        """Take the outline's layer away."""
        if self._outline is not None and self._outline in self._viewer.layers:
            self._viewer.layers.remove(self._outline)

    def _fitting_zoom(self, place: Rectangle) -> float:
        """Return the zoom at which an object and its surroundings are well seen."""
        size = max(place.y1 - place.y0, place.x1 - place.x0, self._usual_size)
        pixel = min(min(self._canvas) / (_PART_OF_CANVAS * size), _LARGEST_PIXEL)
        return float(pixel / abs(self._layer.scale[-1]))

    def _drawn(self) -> Vectors:
        """Return the layer of the outline, made anew if it was deleted."""
        if self._outline is None or self._outline not in self._viewer.layers:
            axes = "TZYX"[-self._layer.ndim :]
            self._outline = self._viewer.add_vectors(
                np.zeros((0, 2, self._layer.ndim)),
                name=OUTLINE_NAME,
                edge_color=_COLOR,
                vector_style="line",
                **Placement.on(self._layer, axes).options,
            )
            self._viewer.layers.selection.active = self._layer
        return self._outline


def outline(mask: NDArray[np.bool_], place: Rectangle) -> NDArray[np.float64]:
    """Return the edges between a mask and what is around it, (N, 2, ndim)."""
    padded = np.pad(mask, 1).astype(np.int8)
    parts = []
    for axis in (0, 1):
        y, x = np.nonzero(np.diff(padded, axis=axis)[:, :])
        # An edge lies between two pixels across one axis and runs along the other.
        offset = (-0.5, -1.5) if axis == 0 else (-1.5, -0.5)
        starts = np.stack([y + place.y0 + offset[0], x + place.x0 + offset[1]], axis=1)
        along = np.zeros_like(starts)
        along[:, 1 - axis] = 1
        parts.append(np.stack([starts, along], axis=1))
    return in_plane(np.concatenate(parts), place.plane)


def path_segments(points: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Return the segments of a path of (K, ndim) points."""
    starts = np.asarray(points[:-1], np.float64)
    along = np.diff(points, axis=0)
    # Vectors lie in a plane: their ends must not leave it.
    along[:, :-2] = 0
    return np.stack([starts, along], axis=1)


def in_plane(
    segments: NDArray[np.float64], plane: tuple[int, ...]
) -> NDArray[np.float64]:
    """Put (N, 2, 2) segments into a plane of a stack: (N, 2, ndim)."""
    leading = np.zeros((len(segments), 2, len(plane)))
    leading[:, 0] = plane
    return np.concatenate([leading, segments], axis=2)
