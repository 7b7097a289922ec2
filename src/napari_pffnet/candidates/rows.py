"""The rows of a table of objects: which candidate each one is, and where it lies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_pffnet.candidates.extents import extents_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_pffnet.instances import Instances

NO_CANDIDATE = -1


class ObjectRows:
    """Row i is the object with label i + 1; rows come, and only `renumber` drops any.

    Attributes
    ----------
    ids
        For each plane (N,) int64, the label of each candidate; 0: never shown.
    planes
        (rows,) int64 number of the plane of each object.
    index
        (rows,) int64 its position among the candidates of the plane, or
        `NO_CANDIDATE`.
    boxes
        (rows, 4) int64 half-open y0, x0, y1, x1 when it was last measured.
    areas
        (rows,) int64 pixels; 0: without.
    """

    def __init__(self, candidates: Sequence[Instances]) -> None:
        self.candidates = candidates
        self.ids = [np.zeros(len(plane), np.int64) for plane in candidates]
        self.planes = np.empty(0, np.int64)
        self.index = np.empty(0, np.int64)
        self.boxes = np.empty((0, 4), np.int64)
        self.areas = np.empty(0, np.int64)

    def __len__(self) -> int:
        """Return the number of rows, which is the highest label."""
        return len(self.planes)

    def add(self, plane: int, index: NDArray[np.int64]) -> None:
        """Give the next labels to candidates of a plane."""
        known = index != NO_CANDIDATE
        self.ids[plane][index[known]] = len(self) + 1 + np.flatnonzero(known)
        count = len(index)
        self.planes = np.append(self.planes, np.full(count, plane))
        self.index = np.append(self.index, index)
        self.boxes = np.append(self.boxes, np.zeros((count, 4), np.int64), axis=0)
        self.areas = np.append(self.areas, np.zeros(count, np.int64))

    def measure(self, plane: int, labels: NDArray[np.int32]) -> None:
        """Measure the objects of a plane from its (Y, X) labels."""
        here = self.planes == plane
        self.boxes[here], self.areas[here] = 0, 0
        found = extents_of(labels)
        rows = found.ids - 1
        self.planes[rows] = plane
        self.boxes[rows], self.areas[rows] = found.boxes, found.areas

    def order(self) -> NDArray[np.int64]:
        """Return all rows plane by plane, in falling confidence, others last."""
        rank = np.full(len(self), np.iinfo(np.int64).max)
        for ids, plane in zip(self.ids, self.candidates, strict=True):
            best = np.argsort(-plane.confidences, kind="stable")
            known = ids[best] > 0
            rank[ids[best][known] - 1] = np.flatnonzero(known)
        return np.lexsort((rank, self.planes))

    def renumber(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Keep these rows in this order; return the new label of each old one."""
        labels = np.zeros(len(self) + 1, np.int64)
        labels[rows + 1] = np.arange(1, len(rows) + 1)
        self.ids = [labels[ids] for ids in self.ids]
        self.planes, self.index = self.planes[rows], self.index[rows]
        self.boxes, self.areas = self.boxes[rows], self.areas[rows]
        return labels
