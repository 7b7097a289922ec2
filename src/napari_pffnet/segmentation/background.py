"""Whether there is anything to look for in a tile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_pffnet.data.axes import distinct_channels

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SIDES = (4, 8, 16)
"""Sides of the blocks whose means are compared, pixels: half of the smallest objects,
and what is larger, where even faint objects rise above the noise."""
_LEAST_CONTRAST = 0.03
"""Of the range of the whole image; less is never an object."""
_NOISE_RANGE = 12.0
"""So many deviations of the block means are still noise: the extremes of 65,000 normal
values lie 9 apart."""
_NOISE_SAMPLE = 100_000
"""So many pixels are enough to tell the noise."""
_MEDIAN_TO_SIGMA = 1.4826 / np.sqrt(2)
"""From the median absolute difference of neighbours to their standard deviation."""


def is_background(pixels: NDArray[np.float32]) -> bool:
    """Say whether pixels show nothing but an even background and its noise.

    An uneven background is no background: it costs time, an object that is not
    looked for costs a result.

    Parameters
    ----------
    pixels
        (y, x, C) in [0, 1], where 0 and 1 come from the whole image.
    """
    pixels = distinct_channels(pixels)
    if min(pixels.shape[:2]) < _SIDES[0]:
        return False
    # From neighbours, as objects are smooth there; what is common to neighbouring
    # pixels is no noise and counts as something to look for.  Some rows tell it.
    every = max(1, pixels.size // _NOISE_SAMPLE)
    steps = np.abs(np.diff(pixels[::every], axis=1))
    noise = _MEDIAN_TO_SIGMA * float(np.median(steps))
    means, done = pixels, 1
    for side in _SIDES:
        if min(pixels.shape[:2]) < side:
            break
        means, done = _block_means(means, side // done), side
        contrast = float((means.max((0, 1)) - means.min((0, 1))).max())
        if contrast >= max(_LEAST_CONTRAST, _NOISE_RANGE * noise / side):
            return False
    return True


def busy_part(pixels: NDArray[np.float32], margin: int) -> tuple[slice, slice]:
    """Return rows and columns of what is not even background, and a margin around it.

    Parameters
    ----------
    pixels
        As of `is_background`, for which they are not.
    margin
        So many pixels of background stay where there are as many.
    """
    pixels = distinct_channels(pixels)
    rows = _busy_rows(pixels, margin)
    return rows, _busy_rows(pixels[rows].swapaxes(0, 1), margin)


def _busy_rows(pixels: NDArray[np.float32], margin: int) -> slice:
    size = len(pixels)
    above, below = (_even_rows(side) for side in (pixels, pixels[::-1]))
    if above + below >= size:
        # Light that falls off slowly: each side is even for itself.
        return slice(0, size)
    return slice(max(0, above - margin), min(size, size - below + margin))


def _even_rows(pixels: NDArray[np.float32]) -> int:
    """Return how many of the first rows are background, in eighths of all."""
    eighth = len(pixels) // 8
    # Most tiles show something everywhere.
    if not is_background(pixels[:eighth]):
        return 0
    even = 0
    for more in (4, 2, 1):
        if is_background(pixels[: (even + more) * eighth]):
            even += more
    return even * eighth


def _block_means(pixels: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Return the means of square blocks; what is left over at the ends is dropped."""
    rows, columns = (n // side for n in pixels.shape[:2])
    blocks = pixels[: rows * side, : columns * side].reshape(
        rows, side, columns, side, -1
    )
    return np.asarray(blocks.mean(axis=(1, 3)), np.float32)
