"""A picture of the image with the outlines of its objects."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import imageio.v3 as iio
import numpy as np
from skimage.segmentation import find_boundaries

from napari_pffnet.files import write_atomically

if TYPE_CHECKING:
    from os import PathLike

    from numpy.typing import ArrayLike, NDArray

# From poor to good: red, yellow, turquoise.  Lightness rises along with it, so that
# the order is seen without telling red from green.
_COLORS = np.array([(230, 30, 30), (255, 220, 0), (60, 255, 200)], np.float64)


def draw_overlay(
    image: NDArray[np.floating[Any]],
    labels: NDArray[np.integer[Any]],
    values: ArrayLike,
) -> NDArray[np.uint8]:
    """Outline every object in the colour of its value.

    Parameters
    ----------
    image
        (Y, X) or (Y, X, C) float in [0, 1]; of other than three channels the first
        is shown in grey.
    labels
        (Y, X); 0 is background, ids 1..N.
    values
        (N,) in [0, 1], one an object: 0 becomes red, 0.5 yellow, 1 turquoise; NaN
        counts as 0.

    Returns
    -------
    (Y, X, 3) uint8.
    """
    planes = image if image.ndim == 3 else image[..., np.newaxis]
    gray = planes if planes.shape[-1] == 3 else np.repeat(planes[..., :1], 3, axis=-1)
    picture = np.round(np.clip(gray, 0, 1) * 255).astype(np.uint8)
    outline = find_boundaries(labels, mode="inner")
    picture[outline] = _colors(np.asarray(values, np.float64))[labels[outline] - 1]
    return picture


def write_overlay(
    image: NDArray[np.floating[Any]],
    labels: NDArray[np.integer[Any]],
    values: ArrayLike,
    path: str | PathLike[str],
) -> None:
    """Write the picture that :func:`draw_overlay` draws as PNG."""
    picture = draw_overlay(image, labels, values)
    write_atomically(Path(path), iio.imwrite("<bytes>", picture, extension=".png"))


def _colors(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return (N, 3) colours of (N,) values."""
    places = np.linspace(0, 1, len(_COLORS))
    known = np.nan_to_num(values)
    channels = [np.interp(known, places, column) for column in _COLORS.T]
    return np.stack(channels, axis=-1).round().astype(np.uint8)
