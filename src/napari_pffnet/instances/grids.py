"""From masks on grids that span their boxes to pixels of an image."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    FloatArray = NDArray[np.floating[Any]]


_AT_ONCE = 512
"""Masks whose weights are found at once: each takes more memory than the mask."""


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
    edges = np.asarray(boxes_xyxy, np.float64).reshape(-1, 4)
    masks: list[NDArray[np.bool_]] = []
    for begin in range(0, len(grids), _AT_ONCE):
        some = slice(begin, begin + _AT_ONCE)
        masks += _paste(grids[some], edges[some].T, windows[some].T)
    return masks


def _paste(
    grids: FloatArray, edges: NDArray[np.float64], windows: NDArray[np.int64]
) -> Iterator[NDArray[np.bool_]]:
    x0, y0, x1, y1 = edges
    rows = _weights(windows[0], windows[2], y0, y1, grids.shape[-1])
    columns = _weights(windows[1], windows[3], x0, x1, grids.shape[-1])
    for grid, down, across in zip(grids, rows, columns, strict=True):
        yield down @ grid @ across.T > 0.5


def _weights(
    first: NDArray[np.int64],
    last: NDArray[np.int64],
    start: NDArray[np.float64],
    stop: NDArray[np.float64],
    cells: int,
) -> Iterator[NDArray[np.float32]]:
    """Yield what each cell of a mask counts at its pixel centres, (pixels, cells).

    Mask ``i`` has along an axis the pixels from ``first[i]`` to ``last[i]``, and its
    box reaches from ``start[i]`` to ``stop[i]``.  Those of all are found at once, as
    they are many.
    """
    counts = last - first
    ends = counts.cumsum()
    mask = np.repeat(np.arange(len(counts)), counts)
    pixel = np.arange(len(mask))
    scale = cells / np.maximum(stop - start, 1e-6)
    inside = pixel - (ends - counts - first)[mask]
    place = ((inside + (0.5 - start)[mask]) * scale[mask] - 0.5).clip(0, cells - 1)
    low = place.astype(np.int64)
    # One cell more, for what would count nothing beyond the last one.
    weights = np.zeros((len(mask), cells + 1), np.float32)
    weights[pixel, low + 1] = place - low
    weights[pixel, low] = 1 - weights[pixel, low + 1]
    for begin, end in pairwise([0, *ends.tolist()]):
        yield weights[begin:end, :cells]


def mask_extent(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Return the half-open y0, x0, y1, x1 of the pixels of a mask that has some."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1
