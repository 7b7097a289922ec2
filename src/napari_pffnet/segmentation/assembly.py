"""What all tiles found, put together."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from napari_pffnet.data.tiling import distinct
from napari_pffnet.instances import Instances
from napari_pffnet.segmentation.result import Found
from napari_pffnet.segmentation.stitching import Stitched, stitch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_pffnet.segmentation.tiles import TileFound

_CUT_TRUST = 0.5
"""What the confidence of an object that a tile cuts counts against a whole one's."""


class ClassMap(Protocol):
    """A (Y, X) uint8 array in memory or elsewhere, which is written part by part."""

    def __setitem__(self, index: tuple[slice, slice], patch: Any, /) -> None:
        """Write a part."""
        ...


class StoredClassMap(ClassMap, Protocol):
    """One that outlives an attempt that has failed."""

    def clear(self) -> None:
        """Make all of it zero again."""
        ...


class Assembly:
    """Collects what tiles found, in any order.

    Parameters
    ----------
    shape
        (Y, X) of the plane.
    classes
        Where its class map goes, full of zeros; by default an array in memory, if
        the network gives one.
    """

    def __init__(self, shape: tuple[int, int], classes: ClassMap | None = None) -> None:
        self._shape = shape
        self._sink = classes
        self._classes: NDArray[np.uint8] | None = None
        self._found: dict[int, TileFound] = {}

    def add(self, number: int, found: TileFound) -> None:
        """Take what the tile with this number found."""
        self._found[number] = replace(found, classes=None)
        if found.classes is not None:
            if self._sink is None:
                self._sink = self._classes = np.zeros(self._shape, np.uint8)
            self._sink[found.classes.place] = found.classes.pixels

    def finish(self) -> Found:
        """Join the candidates; of those that two tiles found both the better stays.

        The class map comes with them where it is in memory.  To be called once.
        """
        found = [self._found.pop(number) for number in sorted(self._found)]
        if len(found) == 1:
            return Found(found[0].whole, self._classes)
        stitched = stitch(
            Instances.concat([tile.cut for tile in found]),
            _repeated([len(tile.cut) for tile in found]),
            [tile.extent for tile in found],
        )
        sources = [_repeated([len(tile.whole) for tile in found]), _told(stitched)]
        joined = Instances.concat([*(tile.whole for tile in found), stitched.objects])
        # Of a slide that is hundreds of megabytes, and the next line copies them.
        del found
        trust = np.where(stitched.pieces > 1, 1.0, _CUT_TRUST)
        rank = joined.confidences * np.concatenate([np.ones(len(sources[0])), trust])
        kept = distinct(joined, np.concatenate(sources), rank=rank)
        return Found(joined.select(kept), self._classes)


def _repeated(counts: Sequence[int]) -> NDArray[np.int64]:
    """Return the number of the tile of each candidate."""
    return np.repeat(np.arange(len(counts)), counts)


def _told(stitched: Stitched) -> NDArray[np.int64]:
    """Return the tile of each object; one made of several is of a tile of its own."""
    return np.where(
        stitched.pieces > 1, -1 - np.arange(len(stitched.pieces)), stitched.tiles
    )
