"""Geometry of tiles: which there are, and which object belongs to which.

Tiles overlap.  An object is taken from the tile whose core holds its centre,
which is the tile that shows most around it; what two tiles found both is told
by the overlap of the masks, so that no object is ever cut at a seam.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_pffnet.instances import Rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_pffnet.instances import Instances

STRIDE = 32
"""Largest stride of the networks: tiles start at its multiples."""
LEAST_MARGIN = 64
"""Pixels at the edge of a tile that give context only, at least."""


@dataclass(frozen=True, slots=True)
class Span:
    """A tile along one axis, in pixels, half-open.

    Attributes
    ----------
    start, stop
        What the network sees.
    core_start, core_stop
        What the tile answers for; the cores of all tiles make up the axis.
    size
        Length of the axis.
    """

    start: int
    stop: int
    core_start: int
    core_stop: int
    size: int

    def owns(self, centres: NDArray[Any], slack: float) -> NDArray[np.bool_]:
        """Say which centres lie in the core or at most ``slack`` outside it."""
        after = centres >= self.core_start - slack
        before = centres < self.core_stop + slack
        # The first and last cores hold whatever lies beyond the image, too.
        return (after | (self.core_start == 0)) & (
            before | (self.core_stop == self.size)
        )

    def owned(self, slack: float) -> tuple[float, float]:
        """Return between which centres `owns` is true, counted from the start."""
        low = self.core_start - slack if self.core_start else -np.inf
        high = self.core_stop + slack if self.core_stop < self.size else np.inf
        return low - self.start, high - self.start

    def trim(self, part: slice) -> Span:
        """Return the half that holds a part, counted from `start`, or all of it.

        Tiles of many sizes would leave the memory in pieces too small for the next.
        """
        half = _round_up(-(-(self.stop - self.start) // 2))
        start = min(part.start, max(self.stop - self.start - half, 0))
        start = self.start + start // STRIDE * STRIDE
        stop = max(min(self.stop, start + half), self.start + part.stop)
        if stop - start > half + STRIDE:
            return self
        core_start, core_stop = np.clip([self.core_start, self.core_stop], start, stop)
        return Span(start, stop, int(core_start), int(core_stop), self.size)

    def cuts(self, low: NDArray[Any], high: NDArray[Any]) -> NDArray[np.bool_]:
        """Say which extents come within a pixel of an edge inside the image."""
        at_start = (low < self.start + 1) & (self.start > 0)
        return at_start | ((high > self.stop - 1) & (self.stop < self.size))


@dataclass(frozen=True, slots=True)
class Tile:
    """A tile of an image: its rows and its columns."""

    y: Span
    x: Span

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns that the network sees."""
        return self.y.stop - self.y.start, self.x.stop - self.x.start

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns that the network sees, to cut them from the image."""
        return slice(self.y.start, self.y.stop), slice(self.x.start, self.x.stop)

    def trim(self, rows: slice, columns: slice) -> Tile:
        """Return the half or quarter that holds a part, counted from its corner.

        It answers for no more than it shows; all of it where there is none.
        """
        return Tile(self.y.trim(rows), self.x.trim(columns))

    def owns(self, boxes_xyxy: NDArray[Any], *, slack: float = 0) -> NDArray[np.bool_]:
        """Say which of (N, 4) boxes have their centre in the core.

        Parameters
        ----------
        boxes_xyxy
            x0, y0, x1, y1 in coordinates of the image.
        slack
            Take so many pixels around the core too: two tiles see a centre at
            the seam a little differently, and none of them may pass it on.
        """
        x0, y0, x1, y1 = boxes_xyxy.T
        return self.y.owns((y0 + y1) / 2, slack) & self.x.owns((x0 + x1) / 2, slack)

    def owned_region(self, *, slack: float = 0) -> tuple[float, float, float, float]:
        """Return where centres of boxes lie that the tile owns.

        Returns
        -------
        x0, y0, x1, y1 in coordinates of the tile; infinite at the edge of the image.
        """
        (y0, y1), (x0, x1) = self.y.owned(slack), self.x.owned(slack)
        return x0, y0, x1, y1

    def cuts(self, boxes_xyxy: NDArray[Any]) -> NDArray[np.bool_]:
        """Say which of (N, 4) boxes an edge of the tile inside the image cuts."""
        x0, y0, x1, y1 = boxes_xyxy.T
        return self.y.cuts(y0, y1) | self.x.cuts(x0, x1)


def context_margin(diameter: float) -> int:
    """Return the pixels at a tile's edge that only give context.

    Parameters
    ----------
    diameter
        Of the objects, in pixels as the network sees them.
    """
    return max(LEAST_MARGIN, int(np.ceil(diameter)))


def least_tile(margin: int) -> int:
    """Return the side of the smallest tile that has a core between its margins."""
    return _round_up(2 * margin) + STRIDE


def make_tiles(shape: tuple[int, int], *, tile: int, margin: int) -> list[Tile]:
    """Cut an image into overlapping tiles.

    Parameters
    ----------
    shape
        (Y, X) of the image.
    tile
        Largest side of the tiles in pixels, rounded up to a multiple of 32; they are
        as small as the same number of them allows.  0: one tile.
    margin
        Pixels of context around every core, except at the edge of the image.

    Returns
    -------
    Tiles row by row, at multiples of 32.

    Raises
    ------
    ValueError
        If a tile has no core between its margins.
    """
    rows, columns = (_spans(size, _round_up(tile), margin) for size in shape)
    return [Tile(y, x) for y in rows for x in columns]


def spread_windows(
    shape: tuple[int, int], *, side: int, most: int
) -> list[tuple[slice, slice]]:
    """Return rows and columns of windows that lie evenly all over an image.

    Parameters
    ----------
    shape
        (Y, X) of the image.
    side
        Of the windows, pixels; cut to the image.
    most
        There are at most so many, and no more than cover the image.
    """
    sides = [min(side, size) for size in shape]
    fitting = [-(-size // part) for size, part in zip(shape, sides, strict=True)]
    while fitting[0] * fitting[1] > most:
        fitting[fitting.index(max(fitting))] -= 1
    rows, columns = (
        [
            slice(start, start + part)
            for start in np.linspace(0, size - part, count).astype(int).tolist()
        ]
        for size, part, count in zip(shape, sides, fitting, strict=True)
    )
    return [(row, column) for row in rows for column in columns]


def _spans(size: int, tile: int, margin: int) -> list[Span]:
    """Cut one axis."""
    if tile == 0 or size <= tile:
        return [Span(0, size, 0, size, size)]
    if tile < least_tile(margin):
        raise ValueError(
            f"tile {tile} is too small for objects that need {margin} pixels of "
            f"context; use at least {least_tile(margin)}, or 0 for no tiles."
        )
    steps = _steps(size, tile, margin)
    # No larger than so many tiles need: all else would be seen twice.
    sides = range(least_tile(margin), tile + 1, STRIDE)
    tile = next(side for side in sides if _steps(size, side, margin) == steps)
    last = _round_up(size - tile)
    # Spread evenly; rounded down, two neighbours are never further than allowed.
    starts = [i * last // steps // STRIDE * STRIDE for i in range(steps + 1)]
    stops = [min(start + tile, size) for start in starts]
    seams = [
        (stop + start) // 2 for stop, start in zip(stops[:-1], starts[1:], strict=True)
    ]
    cores = pairwise([0, *seams, size])
    return [
        Span(start, stop, *core, size)
        for start, stop, core in zip(starts, stops, cores, strict=True)
    ]


def _steps(size: int, tile: int, margin: int) -> int:
    """Return how many steps lead from the first to the last tile of an axis."""
    longest = (tile - 2 * margin) // STRIDE * STRIDE
    return -(-_round_up(size - tile) // longest)


def _round_up(pixels: int) -> int:
    return -(-pixels // STRIDE) * STRIDE


def distinct(
    found: Instances,
    sources: NDArray[np.integer[Any]],
    *,
    rank: NDArray[np.floating[Any]] | None = None,
    max_overlap: float = 0.5,
) -> NDArray[np.int64]:
    """Find the candidates that no better one from another tile repeats.

    Parameters
    ----------
    found
        (N) candidates in coordinates of the image.
    sources
        (N,) the tile that each comes from; candidates of one tile never are
        duplicates of each other.
    rank
        (N,) which of two stays: the higher.  The confidence if not given.
    max_overlap
        A candidate goes when a better one covers more of its area than this.

    Returns
    -------
    (K,) int64 positions of those that stay, rising.
    """
    rank = found.confidences if rank is None else rank
    limits, rows = max_overlap * found.areas, Rows(found.boxes)
    kept = np.zeros(len(found), np.bool_)
    for i in np.argsort(-rank, kind="stable").tolist():
        near = rows.meeting(found.boxes[i].tolist())
        near = near[kept[near] & (sources[near] != sources[i])]
        shared = (found.intersection(i, j) for j in near.tolist())
        kept[i] = all(pixels <= limits[i] for pixels in shared)
    return np.flatnonzero(kept)
