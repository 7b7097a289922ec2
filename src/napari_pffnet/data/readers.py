"""Image and label files: PNG, TIFF, JPEG."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import tifffile
from numpy.typing import NDArray

TIFF_SUFFIXES = (".tif", ".tiff")
IMAGE_SUFFIXES = (".png", *TIFF_SUFFIXES, ".jpg", ".jpeg")


@dataclass(frozen=True, slots=True)
class ImageFile:
    """What a file says.

    Attributes
    ----------
    array
        The pixels as stored.
    axes
        One letter an axis (Y, X, C channel, S colour sample, Z, T), or None
        where the file does not say.
    channel_names
        Names of the channels, or nothing.
    pixel_size_um
        Side of a pixel in micrometres, or None where unknown.
    """

    array: NDArray[np.generic]
    axes: str | None
    channel_names: tuple[str, ...] = ()
    pixel_size_um: float | None = None


def read_image(path: str | PathLike[str]) -> ImageFile:
    """Read an image and what is known of its axes."""
    path = Path(path)
    if path.suffix.lower() in TIFF_SUFFIXES:
        with tifffile.TiffFile(path) as tiff:
            return ImageFile(tiff.series[0].asarray(), tiff.series[0].axes)
    array = imageio.imread(path)
    return ImageFile(array, "YX" if array.ndim == 2 else "YXS")


def read_labels(path: str | PathLike[str]) -> NDArray[np.generic]:
    """Read a (Y, X) label image."""
    return np.squeeze(read_image(path).array)
