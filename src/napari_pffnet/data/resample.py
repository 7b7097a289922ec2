"""Resizing of parts of an image, exactly as the whole would be resized."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from napari_pffnet.data.axes import distinct_channels, repeat_channels

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

_ROWS = 64
"""Rows of the result that are made at once."""


def resample(
    read: Callable[[slice, slice], NDArray[np.float32]],
    shape: tuple[int, int],
    resized: tuple[int, int],
    part: tuple[slice, slice],
) -> NDArray[np.float32]:
    """Return a part of a resized image, reading no more of the image than it needs.

    Linear interpolation; where the image shrinks the triangle widens with it, so
    that nothing is skipped (torch's ``bilinear`` with ``antialias``).  Pixels are
    areas: coordinates of the result times ``shape / resized`` are coordinates of the
    image.

    Parameters
    ----------
    read
        Returns (y, x, C) float32 of rows and columns of the image.
    shape
        (Y, X) of the image.
    resized
        (Y, X) that the whole image would be resized to.
    part
        Rows and columns of the resized image, with start and stop.
    """
    rows, columns = part
    # Band after band, or a much reduced part would need the image as it is at once.
    bands = [
        _band(
            read, shape, resized, slice(start, min(start + _ROWS, rows.stop)), columns
        )
        for start in range(rows.start, rows.stop, _ROWS)
    ]
    joined = np.concatenate([distinct_channels(band) for band in bands])
    return np.asarray(repeat_channels(joined, bands[0].shape[2]), np.float32)


def _band(
    read: Callable[[slice, slice], NDArray[np.float32]],
    shape: tuple[int, int],
    resized: tuple[int, int],
    rows: slice,
    columns: slice,
) -> NDArray[np.float32]:
    source_rows, down = _weights(shape[0], resized[0], rows)
    source_columns, across = _weights(shape[1], resized[1], columns)
    shown = read(source_rows, source_columns)
    pixels = distinct_channels(shown)
    height, width, channels = pixels.shape
    fewer = down @ pixels.reshape(height, -1)
    turned = fewer.reshape(-1, width, channels).transpose(1, 0, 2)
    done: NDArray[np.float32] = across @ turned.reshape(width, -1)
    done = done.reshape(-1, fewer.shape[0], channels).transpose(1, 0, 2)
    return np.asarray(repeat_channels(done, shown.shape[2]), np.float32)


def _weights(
    size: int, resized: int, part: slice
) -> tuple[slice, sparse.csr_matrix[np.float32]]:
    """Return which pixels along an axis are read, and their (out, in) weights."""
    factor = size / resized
    reach = max(factor, 1.0)
    centres = (np.arange(part.start, part.stop) + 0.5) * factor
    first = np.clip(np.floor(centres - reach).astype(int), 0, size - 1)
    taps = int(np.ceil(2 * reach)) + 2
    pixels = first[:, None] + np.arange(taps)
    weights = np.clip(1 - np.abs(pixels + 0.5 - centres[:, None]) / reach, 0, None)
    weights[pixels >= size] = 0
    weights /= weights.sum(axis=1, keepdims=True)
    used = weights > 0
    start, stop = int(pixels[used].min()), int(pixels[used].max()) + 1
    out = np.broadcast_to(np.arange(len(centres))[:, None], pixels.shape)
    matrix = sparse.csr_matrix(
        (weights[used].astype(np.float32), (out[used], pixels[used] - start)),
        shape=(len(centres), stop - start),
    )
    return slice(start, stop), matrix
