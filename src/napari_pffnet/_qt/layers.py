"""The only place where layers of napari become arrays, and arrays layers."""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from napari_pffnet.config import Region
from napari_pffnet.messages import ImageRef

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari import Viewer
    from napari.layers import Image, Labels, Layer, Shapes
    from numpy.typing import NDArray

METADATA_KEY = "napari_pffnet"
"""Key of ours in ``layer.metadata``."""
_MOST_CHANNELS = 16
_LETTERS = {
    "t": "T", "time": "T", "frame": "T",
    "z": "Z", "plane": "Z", "slice": "Z", "depth": "Z",
    "c": "C", "ch": "C", "channel": "C", "channels": "C",
    "y": "Y", "row": "Y", "x": "X", "column": "X",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ImageSource:
    """What an image layer holds: taken in the GUI thread, written in another.

    Attributes
    ----------
    data
        The array of the layer, lazy or not; of multiscale ones the highest level.
    axes
        A letter for each axis of ``data``: T, Z, Y, X, C, S.
    channel_names
        Names of the channels, or nothing.
    pixel_size_um
        Side of a pixel in micrometres, where known.
    name
        Of the layer.
    """

    data: Any
    axes: str
    channel_names: tuple[str, ...]
    pixel_size_um: float | None
    name: str

    @property
    def channel_count(self) -> int:
        """Number of channels that are no colours; 0 where there is no such axis."""
        return self.data.shape[self.axes.index("C")] if "C" in self.axes else 0

    @property
    def shape_yx(self) -> tuple[int, int]:
        """Rows and columns of a plane."""
        rows, columns = (self.data.shape[self.axes.index(letter)] for letter in "YX")
        return rows, columns

    def write(self, folder: Path, name: str = "image") -> ImageRef:
        """Write the array where the child can read it; not in the GUI thread."""
        from napari_pffnet._qt.arrays import write_array

        return ImageRef(
            array=write_array(folder, name, self.data),
            axes=self.axes,
            channel_names=self.channel_names,
            pixel_size_um=self.pixel_size_um,
            name=self.name,
        )


# ------------------------------------------------------------- what a layer holds


def describe_image(layer: Image, axes: str | None = None) -> ImageSource:
    """Describe an image layer; its pixels are not touched.

    Parameters
    ----------
    layer
        Grey, RGB, with channels, planes or time points, multiscale, lazy.
    axes
        As the user named them; by default `guess_axes`.

    Raises
    ------
    ValueError
        If the axes do not fit the layer.
    """
    data = layer.data[0] if layer.multiscale else layer.data
    axes = axes or guess_axes(layer)
    if len(axes) != data.ndim:
        raise ValueError(
            f"The axes {axes} do not fit the layer {layer.name!r} of shape "
            f"{tuple(data.shape)}; give one letter an axis."
        )
    return ImageSource(
        data,
        axes,
        _channel_names(layer, data, axes),
        pixel_size_um(layer.units, layer.scale),
        layer.name,
    )


def guess_axes(layer: Image) -> str:
    """Return a letter for each axis of the layer's array, e.g. ZYX or YXS.

    By the layer's axis labels where they are known words, else as napari shows the
    layer: the last two axes are rows and columns, those before are time points and
    planes, and a short third one of three holds channels.

    Raises
    ------
    ValueError
        If there are more axes than T, Z, C, Y, X, or only one.
    """
    return possible_axes(layer)[0]


def possible_axes(layer: Image) -> tuple[str, ...]:
    """Return the axes that a layer may have, the likeliest first.

    Raises
    ------
    ValueError
        As `guess_axes`.
    """
    shape = (layer.data[0] if layer.multiscale else layer.data).shape
    color = "S" if layer.rgb else ""
    named = "".join(_LETTERS.get(str(word).lower(), "?") for word in layer.axis_labels)
    known = {
        2: ["YX"],
        3: ["ZYX", "TYX"] if color else ["ZYX", "TYX", "CYX"],
        4: ["TZYX"] if color else ["TZYX", "TCYX", "ZCYX", "CZYX", "CTYX"],
        5: [] if color else ["TCZYX", "TZCYX", "CTZYX"],
    }.get(layer.ndim, [])
    if not known:
        raise ValueError(
            f"The layer {layer.name!r} of shape {shape} has {layer.ndim} axes; "
            "use one with 2 to 5: time, planes, channels, rows and columns."
        )
    if layer.ndim == 3 and not color and shape[-1] <= min(_MOST_CHANNELS, *shape[:2]):
        known.insert(0, "YXC")
    if "?" not in named and {"Y", "X"} <= set(named) and len(set(named)) == layer.ndim:
        known = [named, *(axes for axes in known if axes != named)]
    return tuple(axes + color for axes in known)


def plane_axes(layer: Image, axes: str) -> tuple[int, int]:
    """Return which of the layer's axes, as napari counts them, are Y and X."""
    spatial = axes.replace("S", "")
    return spatial.index("Y") - layer.ndim, spatial.index("X") - layer.ndim


def _channel_names(layer: Image, data: Any, axes: str) -> tuple[str, ...]:
    """Return the names of the channels that layer or array carry."""
    if "C" not in axes:
        return ()
    number = axes.index("C")
    names: Any = layer.metadata.get("channel_names")
    # An xarray.DataArray names what lies along an axis.
    if names is None and hasattr(data, "coords") and data.dims[number] in data.coords:
        names = data.coords[data.dims[number]].values
    if names is None or isinstance(names, str) or len(names) != data.shape[number]:
        return ()
    return tuple(str(name) for name in names)


def pixel_size_um(units: Sequence[Any], scales: Sequence[float]) -> float | None:
    """Return the side of a pixel, the geometric mean where it is no square.

    Parameters
    ----------
    units, scales
        Of a layer, one for each axis; rows and columns come last.
    """
    sizes = [
        1 * unit * abs(float(scale))
        for unit, scale in zip(units[-2:], scales[-2:], strict=True)
    ]
    if not all(size.check("[length]") for size in sizes):
        return None
    return float(np.sqrt(np.prod([size.to("micrometer").magnitude for size in sizes])))


# ------------------------------------------------------- rectangles and diameters


def visible_region(viewer: Viewer, layer: Image, axes: str) -> Region:
    """Return the part of an image that is in view.

    Raises
    ------
    ValueError
        If nothing of it is in view.
    """
    source = describe_image(layer, axes)
    y, x = plane_axes(layer, axes)
    shown = {axis - viewer.dims.ndim for axis in viewer.dims.displayed}
    if viewer.dims.ndisplay == 3 or not {y, x} <= shown:
        return Region(y0=0, x0=0, y1=source.shape_yx[0], x1=source.shape_yx[1])
    corners = np.array(layer.corner_pixels, float)[:, [y, x]]
    if layer.multiscale:
        corners *= np.array(layer.downsample_factors)[layer.data_level][[y, x]]
        # napari loads more than it shows; the camera tells what is seen.
        corners = _within(corners, _camera_corners(viewer, layer, y, x))
    # The corners are the first and the last pixel.
    return _region(corners[0], corners[1] + 1, source, "in view")


def _camera_corners(
    viewer: Viewer, layer: Layer, y: int, x: int
) -> NDArray[np.float64]:
    """Return (2, 2) float: lowest and highest y, x of the layer that are in view."""
    # napari tells the size of its canvas nowhere in public.
    size = np.array(attrgetter("_qt_viewer.canvas.size")(viewer.window), float)
    # napari moved its camera into a scene with 0.9.
    camera = getattr(viewer, "scene", viewer).camera
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
    rows_columns = list(plane_axes(image, axes))
    worlds = [drawing.data_to_world(point) for point in points]
    return np.array([image.world_to_data(world)[rows_columns] for world in worlds])


# ------------------------------------------------------------ tables of objects


def features_from_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return ``layer.features`` for a table of objects.

    Parameters
    ----------
    table
        N rows, row i is label i + 1.

    Returns
    -------
    N + 1 rows, row k is label k, row 0 the background; never with a column
    ``index``, by which napari would look the rows up.
    """
    background = {name: _nothing(column) for name, column in table.items()}
    features = pd.concat([pd.DataFrame(background, index=[0]), table])
    features = features.astype(table.dtypes).reset_index(drop=True)
    return features.drop(columns="index", errors="ignore")


def table_from_features(features: pd.DataFrame) -> pd.DataFrame:
    """Return the table that `features_from_table` was made from."""
    return features.iloc[1:].reset_index(drop=True)


def _nothing(column: pd.Series[Any]) -> Any:
    """Return what stands for the background in a column."""
    if column.dtype.kind == "f":
        return np.nan
    return "" if column.dtype.kind not in "buif" else column.dtype.type(0)
