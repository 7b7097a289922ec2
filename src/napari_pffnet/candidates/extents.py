"""Where painted objects lie and how large they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Extents:
    """Ids, boxes and areas of the objects of a label image.

    Attributes
    ----------
    ids
        (K,) int64, rising; only those that have pixels.
    boxes
        (K, 4) int64 half-open y0, x0, y1, x1.
    areas
        (K,) int64 pixels.
    """

    ids: NDArray[np.int64]
    boxes: NDArray[np.int64]
    areas: NDArray[np.int64]


def extents_of(labels: NDArray[np.int32]) -> Extents:
    """Measure the objects of a (Y, X) label image; quick where ids are dense."""
    counts = np.bincount(labels.ravel())
    ids = np.flatnonzero(counts[1:]) + 1
    # One place an id up to the highest; None for those without pixels.
    places = [place for place in ndimage.find_objects(labels) if place is not None]
    boxes = [(y.start, x.start, y.stop, x.stop) for y, x in places]
    return Extents(ids, np.array(boxes, np.int64).reshape(-1, 4), counts[ids])
