"""Painting without an image: which pixels each object gets, whatever the size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from napari_pffnet.instances.table import measured_columns, object_columns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_pffnet.instances.masks import Instances


class Rows:
    """Finds boxes that meet some rows of an image.

    Parameters
    ----------
    boxes
        (N, 4) half-open y0, x0, y1, x1.
    """

    def __init__(self, boxes: NDArray[np.integer[Any]]) -> None:
        self._boxes = boxes
        self._by_top = np.argsort(boxes[:, 0], kind="stable")
        self._tops = boxes[self._by_top, 0]
        self._tallest = int(np.max(boxes[:, 2] - boxes[:, 0], initial=0))

    def meeting(self, box: Sequence[int]) -> NDArray[np.int64]:
        """Return the positions of the boxes that share pixels with one."""
        y0, x0, y1, x1 = box
        first, last = np.searchsorted(self._tops, [y0 - self._tallest + 1, y1])
        near = self._by_top[first:last]
        found = self._boxes[near]
        meets = (found[:, 2] > y0) & (found[:, 1] < x1) & (found[:, 3] > x0)
        return near[meets]


@dataclass(frozen=True, slots=True)
class VisibleObjects:
    """Objects that share no pixel: what `Instances.paint` would paint, as masks.

    Attributes
    ----------
    objects
        Row i is label i + 1, in falling confidence; tight boxes.
    index
        (K,) which candidate each one is.
    rows
        Finds them.
    """

    objects: Instances
    index: NDArray[np.int64]
    rows: Rows

    @classmethod
    def of(
        cls,
        found: Instances,
        *,
        score_threshold: float = 0.5,
        quality_threshold: float = 0.0,
        covered: float = 0.7,
    ) -> VisibleObjects:
        """Decide who gets which pixels; parameters as of `Instances.paint`."""
        wanted = found.reach(score_threshold, quality_threshold)
        order = np.argsort(-found.confidences, kind="stable")
        rows = Rows(found.boxes)
        own: dict[int, NDArray[np.bool_]] = {}
        for i in order[wanted[order]].tolist():
            near = rows.meeting(found.boxes[i].tolist()).tolist()
            free = _free(found, i, [j for j in near if j in own])
            area, kept = np.count_nonzero(found.mask(i)), np.count_nonzero(free)
            if kept > 0 and area - kept <= covered * area:
                own[i] = free
        index = np.array(list(own), np.int64)
        objects = found.cut(index, list(own.values()))
        return cls(objects, index, Rows(objects.boxes))

    def paint(self, rows: slice, columns: slice) -> NDArray[np.int32]:
        """Return a part of the label image.

        Parameters
        ----------
        rows, columns
            With start and stop, inside the image.
        """
        part = (rows.start, columns.start, rows.stop, columns.stop)
        labels = np.zeros((part[2] - part[0], part[3] - part[1]), np.int32)
        for i in self.rows.meeting(part).tolist():
            box = self.objects.boxes[i].tolist()
            common = _common(part, box)
            mask = self.objects.mask(i)[_inside(box, common)]
            labels[_inside(part, common)][mask] = i + 1
        return labels

    def table(
        self, classes: Sequence[str], pixel_size_um: float | None = None
    ) -> pd.DataFrame:
        """Describe the objects as `Instances.to_table` does."""
        found = self.objects
        return pd.DataFrame(
            {"label": np.arange(1, len(found) + 1, dtype=np.int32)}
            | object_columns(
                found.class_ids, found.scores, found.qualities, classes=classes
            )
            | measured_columns(
                found.boxes.astype(np.int64),
                found.areas,
                frame=(0, 0, *found.shape),
                pixel_size_um=pixel_size_um,
            )
        )


def _free(found: Instances, i: int, others: Sequence[int]) -> NDArray[np.bool_]:
    """Return the mask of candidate ``i`` without the pixels of others."""
    free, box = found.mask(i).copy(), found.boxes[i].tolist()
    for j in others:
        other = found.boxes[j].tolist()
        common = _common(box, other)
        free[_inside(box, common)] &= ~found.mask(j)[_inside(other, common)]
    return free


def _common(box: Sequence[int], other: Sequence[int]) -> tuple[int, int, int, int]:
    """Return the box of the pixels that two boxes share."""
    return (
        max(box[0], other[0]),
        max(box[1], other[1]),
        min(box[2], other[2]),
        min(box[3], other[3]),
    )


def _inside(box: Sequence[int], part: Sequence[int]) -> tuple[slice, slice]:
    """Return rows and columns of a part of a box, counted from its corner."""
    return (
        slice(part[0] - box[0], part[2] - box[0]),
        slice(part[1] - box[1], part[3] - box[1]),
    )
