"""From masks on grids that span their boxes to pixels of an image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.floating[Any]]


def windows_of(boxes_xyxy: FloatArray, shape: tuple[int, int]) -> NDArray[np.int64]:
    """Return (N, 4) y0, x0, y1, x1: the pixels whose centres lie in the boxes."""
    yxyx = np.asarray(boxes_xyxy, np.float64).reshape(-1, 4)[:, [1, 0, 3, 2]]
    windows = np.clip(np.ceil(yxyx - 0.5), 0, [*shape, *shape]).astype(np.int64)
    windows[:, 2:] = np.maximum(windows[:, 2:], windows[:, :2])
    return windows


def paste(grid: FloatArray, box: list[float], window: list[int]) -> NDArray[np.bool_]:
    """Evaluate one (M, M) mask at the pixel centres of its window."""
    x0, y0, x1, y1 = box
    low, high, part = _cells(window[0], window[2], y0, y1, len(grid))
    rows = grid[low] + (grid[high] - grid[low]) * part[:, None]
    low, high, part = _cells(window[1], window[3], x0, x1, len(grid))
    left = rows[:, low]
    return np.asarray(left + (rows[:, high] - left) * part > 0.5)


def _cells(
    first: int, last: int, start: float, stop: float, cells: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Find the two cells around each pixel centre and how far it is between them."""
    scale = cells / max(stop - start, 1e-6)
    place = (np.arange(first, last) + (0.5 - start)) * scale - 0.5
    place = place.clip(0, cells - 1)
    low = place.astype(np.int64)
    return low, np.minimum(low + 1, cells - 1), (place - low).astype(np.float32)


def mask_extent(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Return the half-open y0, x0, y1, x1 of the pixels of a mask that has some."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1
