"""Exact outlines of masks, along the edges of their pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Right, down, left, up; the object is on the right-hand side of the way.
_STEPS = ((1, 0), (0, 1), (-1, 0), (0, -1))
# For each: the neighbour that must be background, and where the edge starts, (y, x).
_EDGES = (((-1, 0), (0, 0)), ((0, 1), (0, 1)), ((1, 0), (1, 1)), ((0, -1), (1, 0)))


@dataclass(frozen=True, slots=True)
class Piece:
    """One connected piece of an object.

    Attributes
    ----------
    outer
        (K, 2) int64 corners x, y of the outline, clockwise on the screen, not
        closed.  Pixel i covers [i, i + 1).
    holes
        Outlines of its holes, the other way round.
    """

    outer: NDArray[np.int64]
    holes: list[NDArray[np.int64]]


def trace(mask: NDArray[np.bool_], *, origin: tuple[int, int] = (0, 0)) -> list[Piece]:
    """Return the pieces of a mask; their areas are the numbers of their pixels.

    Parameters
    ----------
    mask
        (Y, X).  Pixels that touch at a corner only are different pieces.
    origin
        y, x of the mask in its image.
    """
    parts, count = ndimage.label(mask)
    shift = np.array([origin[1], origin[0]])
    pieces = []
    for i in range(1, count + 1):
        rings = [ring + shift for ring in _rings(parts == i)]
        outer = next(ring for ring in rings if _signed_area(ring) > 0)
        pieces.append(Piece(outer, [r for r in rings if _signed_area(r) < 0]))
    return pieces


def _rings(mask: NDArray[np.bool_]) -> list[NDArray[np.int64]]:
    """Chain the edges between object and background to closed outlines."""
    headings = _headings(mask)
    left = {(point, heading) for point, many in headings.items() for heading in many}
    rings = []
    for first in sorted(left):
        ring = []
        edge = first
        while edge in left:
            left.remove(edge)
            (x, y), heading = edge
            point = (x + _STEPS[heading][0], y + _STEPS[heading][1])
            # Two pixels that touch at this corner only: keep to the same one.
            sharp = (heading + 1) % 4
            onward = headings[point]
            turn = sharp if sharp in onward else onward[0]
            if turn != heading:
                ring.append(point)
            edge = (point, turn)
        if ring:
            rings.append(np.array(ring, np.int64))
    return rings


def _headings(mask: NDArray[np.bool_]) -> dict[tuple[int, int], list[int]]:
    """Return, for each corner x, y of a pixel, where edges of the object lead."""
    height, width = mask.shape
    padded = np.pad(mask, 1)
    headings: dict[tuple[int, int], list[int]] = {}
    for heading, ((dy, dx), (y0, x0)) in enumerate(_EDGES):
        beyond = padded[1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width]
        for y, x in np.argwhere(mask & ~beyond).tolist():
            headings.setdefault((x + x0, y + y0), []).append(heading)
    return headings


def _signed_area(ring: NDArray[np.int64]) -> float:
    """Return the area within a ring, negative for holes."""
    x, y = ring.T
    return float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)) / 2
