"""From masks on grids that span their boxes to pixels of an image."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    FloatArray = NDArray[np.floating[Any]]
    # Along an axis, for each pixel centre: the cells around it, and how far it is from
    # the first to the second.
    Cells = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]


def windows_of(boxes_xyxy: FloatArray, shape: tuple[int, int]) -> NDArray[np.int64]:
    """Return (N, 4) y0, x0, y1, x1: the pixels whose centres lie in the boxes."""
    yxyx = np.asarray(boxes_xyxy, np.float64).reshape(-1, 4)[:, [1, 0, 3, 2]]
    windows = np.clip(np.ceil(yxyx - 0.5), 0, [*shape, *shape]).astype(np.int64)
    windows[:, 2:] = np.maximum(windows[:, 2:], windows[:, :2])
    return windows


def paste(
    grids: FloatArray, boxes_xyxy: FloatArray, windows: NDArray[np.int64]
) -> list[NDArray[np.bool_]]:
    """Evaluate (N, M, M) masks at the pixel centres of their (N, 4) windows."""
    x0, y0, x1, y1 = np.asarray(boxes_xyxy, np.float64).reshape(-1, 4).T
    rows = _cells(windows[:, 0], windows[:, 2], y0, y1, grids.shape[-1])
    columns = _cells(windows[:, 1], windows[:, 3], x0, x1, grids.shape[-1])
    return [_sample(*mask) for mask in zip(grids, rows, columns, strict=True)]


def _sample(grid: FloatArray, row: Cells, column: Cells) -> NDArray[np.bool_]:
    low, high, part = row
    upper = grid.take(low, 0)
    rows = upper + (grid.take(high, 0) - upper) * part[:, None]
    low, high, part = column
    left = rows.take(low, 1)
    return np.asarray(left + (rows.take(high, 1) - left) * part > 0.5)


def _cells(
    first: NDArray[np.int64],
    last: NDArray[np.int64],
    start: NDArray[np.float64],
    stop: NDArray[np.float64],
    cells: int,
) -> Iterator[Cells]:
    """Find the cells of (N,) masks along an axis, all at once: they are many.

    Mask ``i`` has the pixels from ``first[i]`` to ``last[i]``, and its box reaches from
    ``start[i]`` to ``stop[i]``.
    """
    counts = last - first
    ends = counts.cumsum()
    mask = np.repeat(np.arange(len(counts)), counts)
    pixel = np.arange(len(mask)) - (ends - counts - first)[mask]
    scale = cells / np.maximum(stop - start, 1e-6)
    place = (pixel + (0.5 - start)[mask]) * scale[mask] - 0.5
    place = place.clip(0, cells - 1)
    low = place.astype(np.int64)
    high, part = np.minimum(low + 1, cells - 1), (place - low).astype(np.float32)
    for begin, end in pairwise([0, *ends.tolist()]):
        yield low[begin:end], high[begin:end], part[begin:end]


def mask_extent(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Return the half-open y0, x0, y1, x1 of the pixels of a mask that has some."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1
