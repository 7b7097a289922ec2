"""Parts of an image: in view, or drawn; and how large drawn objects are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_pffnet._qt.layers import describe_image
from napari_pffnet._qt.viewer import camera_of, canvas_size
from napari_pffnet.config import Region

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Image, Labels, Layer, Shapes
    from numpy.typing import NDArray

    from napari_pffnet._qt.layers import ImageSource


def visible_region(viewer: Viewer, layer: Image, axes: str) -> Region:
    """Return the part of an image that is in view.

    Raises
    ------
    ValueError
        If nothing of it is in view.
    """
    source = describe_image(layer, axes)
    y, x = _plane_axes(layer, axes)
    shown = {axis - viewer.dims.ndim for axis in viewer.dims.displayed}
    if viewer.dims.ndisplay == 3 or not {y, x} <= shown:
        return Region(y0=0, x0=0, y1=source.shape_yx[0], x1=source.shape_yx[1])
    corners = np.array(layer.corner_pixels, float)[:, [y, x]]
    if layer.multiscale:
        corners *= np.array(layer.downsample_factors)[layer.data_level][[y, x]]
    # napari loads more than it shows, and a pixel of what is out of view; the camera
    # tells what is seen.  The pixel i spans i - 0.5 to i + 0.5.
    seen = np.floor(_camera_corners(viewer, layer, y, x) + 0.5)
    corners = _within(corners, seen)
    # The corners are the first and the last pixel.
    return _region(corners[0], corners[1] + 1, source, "in view")


def _camera_corners(
    viewer: Viewer, layer: Layer, y: int, x: int
) -> NDArray[np.float64]:
    """Return (2, 2) float: lowest and highest y, x of the layer that are in view."""
    size, camera = np.array(canvas_size(viewer)), camera_of(viewer)
    half, center = size / camera.zoom / 2, np.array(camera.center[-2:])
    world = np.array(viewer.dims.point, float)
    axes = list(viewer.dims.displayed[-2:])
    seen = []
    for signs in ((-1, -1), (-1, 1), (1, -1), (1, 1)):
        world[axes] = center + half * signs
        seen.append(layer.world_to_data(world)[[y, x]])
    return np.array([np.min(seen, axis=0), np.max(seen, axis=0)])


def _within(
    corners: NDArray[np.float64], bounds: NDArray[np.float64]
) -> NDArray[np.float64]:
    return np.stack(
        [np.maximum(corners[0], bounds[0]), np.minimum(corners[1], bounds[1])]
    )


def selected_region(shapes: Shapes, image: Image, axes: str) -> Region:
    """Return the rectangle around the selected shape, in pixels of the image.

    Raises
    ------
    ValueError
        If no shape is selected and there is not just one, or it lies outside.
    """
    number = len(shapes.data)
    chosen = sorted(shapes.selected_data) or list(range(number))
    if len(chosen) != 1:
        raise ValueError(
            f"{len(shapes.selected_data)} of {number} shapes are selected in "
            f"{shapes.name!r}; draw a rectangle, or select the one to segment."
        )
    corners = _in_image(shapes, shapes.data[chosen[0]], image, axes)
    # The pixel i spans i - 0.5 to i + 0.5 in a layer of napari.
    low, high = corners.min(axis=0) + 0.5, corners.max(axis=0) + 0.5
    source = describe_image(image, axes)
    return _region(np.round(low), np.round(high), source, "inside the selected shape")


def _region(
    low: NDArray[np.float64], high: NDArray[np.float64], source: ImageSource, where: str
) -> Region:
    (y0, x0), (y1, x1) = (
        np.clip(corner, 0, source.shape_yx).astype(int).tolist()
        for corner in (np.floor(low), np.ceil(high))
    )
    if y1 <= y0 or x1 <= x0:
        raise ValueError(
            f"Nothing of {source.name!r} is {where}; move it there, or segment "
            "the whole image."
        )
    return Region(y0=y0, x0=x0, y1=y1, x1=x1)


def measured_diameter(drawing: Shapes | Labels, image: Image, axes: str) -> float:
    """Return the median of sqrt(4 area / pi) of what was drawn, pixels of the image.

    Lines count by their length.

    Raises
    ------
    ValueError
        If nothing was drawn.
    """
    if hasattr(drawing, "shape_type"):
        sizes = [
            _shape_diameter(_in_image(drawing, corners, image, axes), kind)
            for corners, kind in zip(drawing.data, drawing.shape_type, strict=True)
        ]
    else:
        sizes = _label_diameters(drawing, image, axes)
    if not sizes:
        raise ValueError(
            f"Nothing is drawn in {drawing.name!r} to measure the diameter; draw "
            "around one or a few typical objects first."
        )
    return float(np.median(sizes))


def _label_diameters(labels: Labels, image: Image, axes: str) -> list[float]:
    counts = np.unique(labels.data, return_counts=True)
    areas = counts[1][counts[0] > 0]
    # A pixel of the drawing may be larger than one of the image.
    corners = np.zeros((3, labels.ndim))
    corners[1, -2] = corners[2, -1] = 1
    origin, down, right = _in_image(labels, corners, image, axes)
    pixel = abs(np.linalg.det(np.stack([down - origin, right - origin])))
    return [float(size) for size in np.sqrt(4 * areas * pixel / np.pi)]


def _shape_diameter(corners: NDArray[np.float64], kind: str) -> float:
    if kind in ("line", "path"):
        return float(np.linalg.norm(np.diff(corners, axis=0), axis=1).sum())
    y, x = corners.T
    area = abs(np.dot(y, np.roll(x, 1)) - np.dot(x, np.roll(y, 1))) / 2
    # An ellipse is kept as the rectangle around it.
    return float(np.sqrt(area if kind == "ellipse" else 4 * area / np.pi))


def _in_image(
    drawing: Layer, points: NDArray[np.float64], image: Image, axes: str
) -> NDArray[np.float64]:
    """Return points of a layer as (N, 2) y, x in the pixels of an image."""
    rows_columns = list(_plane_axes(image, axes))
    worlds = [drawing.data_to_world(point) for point in points]
    return np.array([image.world_to_data(world)[rows_columns] for world in worlds])


def _plane_axes(layer: Image, axes: str) -> tuple[int, int]:
    """Return which of the layer's axes, as napari counts them, are Y and X."""
    spatial = axes.replace("S", "")
    return spatial.index("Y") - layer.ndim, spatial.index("X") - layer.ndim
