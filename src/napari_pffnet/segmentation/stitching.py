"""Objects that no tile shows whole are put together from what several tiles show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from napari_pffnet.instances import Instances, Rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    Extent = tuple[int, int, int, int]

_SAME = 0.5
"""Pieces belong together whose IoU is larger where both of their tiles look."""


@dataclass(frozen=True, slots=True)
class Stitched:
    """Objects from pieces.

    Attributes
    ----------
    objects
        Those that were put together, and the pieces that were left alone.
    pieces
        (N,) of how many pieces each is made.
    tiles
        (N,) the tile of a piece that was left alone, -1 of others.
    """

    objects: Instances
    pieces: NDArray[np.int64]
    tiles: NDArray[np.int64]


def stitch(
    found: Instances, tiles: NDArray[np.int64], extents: Sequence[Extent]
) -> Stitched:
    """Put pieces together that agree where their tiles overlap.

    Parameters
    ----------
    found
        (N) candidates that tiles cut.
    tiles
        (N,) which tile shows each.
    extents
        y0, x0, y1, x1 of what each tile sees, pixels of the plane.
    """
    n = len(found)
    pairs = np.array(_chosen(found, tiles, extents), np.int64).reshape(-1, 2)
    links = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    count, group = connected_components(links, directed=False)
    members = np.split(
        np.argsort(group, kind="stable"), np.cumsum(np.bincount(group, minlength=count))
    )[:count]
    alone = [int(m[0]) for m in members if len(m) == 1]
    joined = [_union(found.select(m)) for m in members if len(m) > 1]
    parts = [found.select(np.array(alone, np.int64)), *joined]
    sizes = [1] * len(alone) + [len(m) for m in members if len(m) > 1]
    return Stitched(
        Instances.concat(parts),
        np.array(sizes, np.int64),
        np.concatenate([tiles[alone], np.full(len(joined), -1)]).astype(np.int64),
    )


def _chosen(
    found: Instances, tiles: NDArray[np.int64], extents: Sequence[Extent]
) -> list[tuple[int, int]]:
    """Return the pairs that belong together; a piece has one partner in a tile."""
    taken: set[tuple[int, int]] = set()
    chosen = []
    for _, i, j in sorted(_agreements(found, tiles, extents), reverse=True):
        ends = {(i, int(tiles[j])), (j, int(tiles[i]))}
        if not ends & taken:
            taken |= ends
            chosen.append((i, j))
    return chosen


def _agreements(
    found: Instances, tiles: NDArray[np.int64], extents: Sequence[Extent]
) -> Iterator[tuple[float, int, int]]:
    """Yield the IoU of pieces of different tiles where both of these look."""
    rows = Rows(found.boxes)
    for i in range(len(found)):
        for j in rows.meeting(found.boxes[i].tolist()).tolist():
            if (
                j <= i
                or tiles[i] == tiles[j]
                or found.class_ids[i] != found.class_ids[j]
            ):
                continue
            ours, theirs = extents[tiles[i]], extents[tiles[j]]
            zone = (
                *np.maximum(ours[:2], theirs[:2]),
                *np.minimum(ours[2:], theirs[2:]),
            )
            shared = found.intersection(i, j)
            both = _area_in(found, i, zone) + _area_in(found, j, zone) - shared
            if shared > _SAME * both:
                yield shared / both, i, j


def _area_in(found: Instances, i: int, zone: Sequence[int]) -> int:
    """Return how many pixels of a mask lie in a box."""
    y, x = found.boxes[i, :2].tolist()
    y0, x0, y1, x1 = zone
    part = found.mask(i)[
        max(y0 - y, 0) : max(y1 - y, 0), max(x0 - x, 0) : max(x1 - x, 0)
    ]
    return int(np.count_nonzero(part))


def _union(pieces: Instances) -> Instances:
    """Return one object of all pixels; score and quality by the areas of its pieces."""
    y0, x0 = pieces.boxes[:, :2].min(0).tolist()
    y1, x1 = pieces.boxes[:, 2:].max(0).tolist()
    mask = np.zeros((y1 - y0, x1 - x0), np.bool_)
    for i, (top, left, bottom, right) in enumerate(pieces.boxes.tolist()):
        mask[top - y0 : bottom - y0, left - x0 : right - x0] |= pieces.mask(i)
    areas = pieces.areas
    return Instances(
        boxes=np.array([[y0, x0, y1, x1]], np.int32),
        masks=mask.ravel(),
        offsets=np.array([0, mask.size], np.int64),
        class_ids=pieces.class_ids[:1],
        scores=np.array([np.average(pieces.scores, weights=areas)], np.float32),
        qualities=np.array([np.average(pieces.qualities, weights=areas)], np.float32),
        shape=pieces.shape,
    )
