"""What all tiles found, put together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from napari_pffnet.data.tiling import distinct
from napari_pffnet.instances import Instances
from napari_pffnet.segmentation.result import Found

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_pffnet.segmentation.tiles import TileFound

_CUT_TRUST = 0.5
"""What the confidence of an object that a tile cuts counts against a whole one's."""


class ClassMap(Protocol):
    """A (Y, X) uint8 array in memory or elsewhere, which is written part by part."""

    def __setitem__(self, index: tuple[slice, slice], patch: Any, /) -> None:
        """Write a part."""
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
        self._whole: dict[int, Instances] = {}
        self._cut: dict[int, Instances] = {}

    def add(self, number: int, found: TileFound) -> None:
        """Take what the tile with this number found."""
        self._whole[number], self._cut[number] = found.whole, found.cut
        if found.classes is not None:
            if self._sink is None:
                self._sink = self._classes = np.zeros(self._shape, np.uint8)
            self._sink[found.classes.place] = found.classes.pixels

    def finish(self) -> Found:
        """Join the candidates; of those that two tiles found both the better stays.

        The class map comes with them where it is in memory.
        """
        numbers = sorted(self._whole)
        parts = [part[n] for n in numbers for part in (self._whole, self._cut)]
        joined = Instances.concat(parts)
        if len(numbers) > 1:
            counts = [len(part) for part in parts]
            tiles = np.repeat(np.repeat(numbers, 2), counts)
            trust = np.repeat(np.tile([1.0, _CUT_TRUST], len(numbers)), counts)
            rank = joined.confidences * trust
            joined = joined.select(distinct(joined, tiles, rank=rank))
        return Found(joined, self._classes)
