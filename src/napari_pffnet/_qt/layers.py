"""The only place where layers of napari become arrays, and arrays layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_pffnet.messages import ImageRef

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd
    from napari.layers import Image, Labels

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


def finest(layer: Image | Labels) -> Any:
    """Return the array of a layer, lazy or not; of several levels the largest."""
    return layer.data[0] if layer.multiscale else layer.data


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
    data = finest(layer)
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
    shape = finest(layer).shape
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


def is_class_map(layer: Labels) -> bool:
    """Tell whether a layer is one of ours that holds classes instead of objects."""
    return METADATA_KEY in layer.metadata and bool(finest(layer).dtype == np.uint8)


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
    import pandas as pd  # here, so that widgets open sooner

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
