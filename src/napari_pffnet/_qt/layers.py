"""The only place where layers of napari become arrays, and arrays layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from napari.layers import Image, Labels, Layer, Shapes

    from napari_pffnet.messages import ImageRef, Region

METADATA_KEY = "napari_pffnet"
"""Key of ours in ``layer.metadata``."""


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

    def write(self, folder: Path, name: str = "image") -> ImageRef:
        """Write the array where the child can read it; not in the GUI thread."""
        raise NotImplementedError


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
    raise NotImplementedError


def guess_axes(layer: Image) -> str:
    """Return a letter for each axis of the layer's array, e.g. ZYX or YXS.

    By the layer's axis labels where they are known words, else as napari shows the
    layer: the last two axes are rows and columns, those before are planes and time
    points, one behind that is short holds channels.
    """
    raise NotImplementedError


def visible_region(layer: Image) -> Region | None:
    """Return the part of an image that is in view; None if nothing of it is."""
    raise NotImplementedError


def selected_region(shapes: Shapes, image: Layer) -> Region:
    """Return the rectangle around the selected shape, in pixels of the image.

    Raises
    ------
    ValueError
        If no shape is selected and there is not just one, or it lies outside.
    """
    raise NotImplementedError


def measured_diameter(drawing: Shapes | Labels, image: Layer) -> float:
    """Return the median of sqrt(4 area / pi) of what was drawn, pixels of the image.

    Lines count by their length.

    Raises
    ------
    ValueError
        If nothing was drawn.
    """
    raise NotImplementedError


def features_from_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return ``layer.features`` for a table of objects.

    Parameters
    ----------
    table
        N rows, row i is label i + 1.

    Returns
    -------
    N + 1 rows, row k is label k, row 0 the background; without ``label``, which is
    the row's number, and never with a column ``index``, by which napari would
    look the rows up.
    """
    raise NotImplementedError


def table_from_features(features: pd.DataFrame) -> pd.DataFrame:
    """Return the table that `features_from_table` was made from."""
    raise NotImplementedError
