"""Candidates of one image, and how they are painted into one label image."""

from __future__ import annotations

from dataclasses import dataclass, fields
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from napari_pffnet.instances.grids import mask_extent, paste, windows_of
from napari_pffnet.instances.table import (
    check_labels,
    confidences,
    label_extents,
    measured_columns,
    object_columns,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.integer[Any]]
FloatArray = NDArray[np.floating[Any]]
Shape = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Painted:
    """A label image and where its ids come from.

    Attributes
    ----------
    labels
        (Y, X) int32; 0 is background, ids 1..K in falling confidence.
    index
        (K,) int64; id ``k + 1`` is candidate ``index[k]``.
    """

    labels: NDArray[np.int32]
    index: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Instances:
    """Candidates of one image; they may overlap.

    Attributes
    ----------
    boxes
        (N, 4) int32, y0, x0, y1, x1: half-open crop windows inside the image.
    masks
        1-D bool: the pixels of all windows, each row-major, end to end.
    offsets
        (N + 1,) int64: window ``i`` is ``masks[offsets[i]:offsets[i + 1]]``.
    class_ids
        (N,) int32 in 1..C.
    scores
        (N,) float32, classification score s_cls.
    qualities
        (N,) float32, mask quality s_qua; NaN where the network has no such branch.
    shape
        (Y, X) of the image.
    """

    boxes: NDArray[np.int32]
    masks: BoolArray
    offsets: NDArray[np.int64]
    class_ids: NDArray[np.int32]
    scores: NDArray[np.float32]
    qualities: NDArray[np.float32]
    shape: Shape

    def __len__(self) -> int:
        """Return the number of candidates."""
        return len(self.boxes)

    @property
    def confidences(self) -> NDArray[np.float32]:
        """(N,) float32: score x quality (eq. 6), or the score without a quality."""
        return confidences(self.scores, self.qualities)

    @property
    def areas(self) -> NDArray[np.int64]:
        """(N,) int64: pixels of each mask, overlaps included."""
        # One by one: sums over all pixels at once take eight bytes for each.
        ranges = pairwise(self.offsets.tolist())
        counts = [np.count_nonzero(self.masks[a:b]) for a, b in ranges]
        return np.array(counts, np.int64)

    def mask(self, i: int) -> BoolArray:
        """Return the mask of candidate ``i`` in its window, a (h, w) bool view."""
        y0, x0, y1, x1 = self.boxes[i]
        pixels = self.masks[self.offsets[i] : self.offsets[i + 1]]
        return pixels.reshape(y1 - y0, x1 - x0)

    # ------------------------------------------------------------- made from

    @classmethod
    def empty(cls, shape: Shape) -> Self:
        """Return no candidates for an image of ``shape`` (Y, X)."""
        return cls._from_windows([], np.empty((0, 4)), [], [], [], shape)

    @classmethod
    def from_labels(
        cls,
        labels: IntArray,
        class_ids: ArrayLike | None = None,
        scores: ArrayLike | None = None,
        qualities: ArrayLike | None = None,
    ) -> Self:
        """Take the objects of a label image, in rising id.

        Parameters
        ----------
        labels
            (Y, X) integers; 0 is background, ids may have gaps.
        class_ids, scores, qualities
            (N,) one value an object; 1, 1.0 and NaN if not given.

        Raises
        ------
        ValueError
            If the labels are no plane of integers from 0.
        """
        check_labels(labels)
        ids, boxes, _ = label_extents(labels)
        crops = [
            labels[y0:y1, x0:x1] == i
            for i, (y0, x0, y1, x1) in zip(ids, boxes, strict=True)
        ]
        return cls._from_windows(
            crops,
            boxes,
            np.ones(len(ids)) if class_ids is None else class_ids,
            np.ones(len(ids)) if scores is None else scores,
            np.full(len(ids), np.nan) if qualities is None else qualities,
            (labels.shape[0], labels.shape[1]),
        )

    @classmethod
    def from_mask_grids(
        cls,
        probabilities: FloatArray,
        boxes_xyxy: FloatArray,
        class_ids: ArrayLike,
        scores: ArrayLike,
        qualities: ArrayLike,
        shape: Shape,
    ) -> Self:
        """Turn M x M masks that span their boxes into pixels of the image.

        A pixel belongs to the object where its centre lies in the box, which is
        not rounded, and the mask, interpolated there bilinearly, is above 0.5.
        Cell j of M spans ``x0 + j w / M`` to ``x0 + (j + 1) w / M``; beyond the
        outermost cell centres the outermost values hold.  Candidates without a
        pixel are left out.

        Parameters
        ----------
        probabilities
            (N, M, M) float32 in [0, 1], rows are y.
        boxes_xyxy
            (N, 4) float, x0, y0, x1, y1, continuous pixel coordinates.
        class_ids, scores, qualities
            (N,) one value a candidate.
        shape
            (Y, X) of the image.
        """
        windows = windows_of(boxes_xyxy, shape)
        crops = paste(probabilities, boxes_xyxy, windows)
        found = cls._from_windows(crops, windows, class_ids, scores, qualities, shape)
        return found.drop_empty()

    @classmethod
    def concat(cls, parts: Sequence[Self]) -> Self:
        """Join candidates of one image; at least one part, all of one shape.

        Raises
        ------
        ValueError
            If there is no part or the shapes of the images differ.
        """
        shapes = {part.shape for part in parts}
        if len(shapes) != 1:
            raise ValueError(
                f"Cannot join candidates of images of shapes {sorted(shapes)}; "
                "give at least one part and only parts of one image."
            )
        starts = np.cumsum([0, *(len(part.masks) for part in parts)])
        offsets = [p.offsets[:-1] + s for p, s in zip(parts, starts, strict=False)]
        joined = {
            field.name: np.concatenate([getattr(part, field.name) for part in parts])
            for field in fields(cls)
            if field.name not in ("offsets", "shape")
        }
        return cls(
            offsets=np.concatenate([*offsets, starts[-1:]]),
            shape=shapes.pop(),
            **joined,
        )

    @classmethod
    def _from_windows(
        cls,
        crops: Sequence[BoolArray],
        boxes: ArrayLike,
        class_ids: ArrayLike,
        scores: ArrayLike,
        qualities: ArrayLike,
        shape: Shape,
    ) -> Self:
        flat = [crop.ravel() for crop in crops]
        return cls(
            boxes=np.asarray(boxes, np.int32).reshape(-1, 4),
            masks=np.concatenate(flat) if flat else np.empty(0, np.bool_),
            offsets=np.cumsum([0, *map(len, flat)], dtype=np.int64),
            class_ids=np.asarray(class_ids, np.int32),
            scores=np.asarray(scores, np.float32),
            qualities=np.asarray(qualities, np.float32),
            shape=(int(shape[0]), int(shape[1])),
        )

    # ------------------------------------------------------------- changed

    def select(self, index: Sequence[int] | IntArray | BoolArray) -> Self:
        """Return the candidates at ``index``: positions, in their order, or a mask."""
        positions = np.arange(len(self))[index]
        return self._from_windows(
            [self.mask(i) for i in positions.tolist()],
            self.boxes[positions],
            self.class_ids[positions],
            self.scores[positions],
            self.qualities[positions],
            self.shape,
        )

    def drop_empty(self) -> Self:
        """Leave out candidates without a pixel."""
        has_pixels = self.areas > 0
        return self if has_pixels.all() else self.select(has_pixels)

    def shift(self, dy: int, dx: int, shape: Shape) -> Self:
        """Move all candidates into an image of ``shape``; what lies outside is cut."""
        moved = self.boxes + np.array([dy, dx, dy, dx])
        inside = np.clip(moved, 0, [*shape, *shape])
        y0, x0, y1, x1 = (inside - moved[:, [0, 1, 0, 1]]).T.tolist()
        crops = [
            self.mask(i)[y0[i] : max(y1[i], 0), x0[i] : max(x1[i], 0)]
            for i in range(len(self))
        ]
        values = (self.class_ids, self.scores, self.qualities)
        return self._from_windows(crops, inside, *values, shape).drop_empty()

    def cut(self, index: IntArray, masks: Sequence[BoolArray]) -> Self:
        """Return candidates with less of their masks; windows shrink to their pixels.

        Parameters
        ----------
        index
            (K,) which candidates, in their order.
        masks
            K masks in the windows of these candidates, none of them empty.
        """
        tight = [mask_extent(mask) for mask in masks]
        corners = np.concatenate([self.boxes[index, :2]] * 2, axis=1)
        return self._from_windows(
            [
                mask[y0:y1, x0:x1]
                for mask, (y0, x0, y1, x1) in zip(masks, tight, strict=True)
            ],
            corners + np.array(tight, np.int32).reshape(-1, 4),
            self.class_ids[index],
            self.scores[index],
            self.qualities[index],
            self.shape,
        )

    def intersection(self, i: int, j: int) -> int:
        """Return how many pixels candidates ``i`` and ``j`` share."""
        y0, x0 = np.maximum(self.boxes[i, :2], self.boxes[j, :2])
        y1, x1 = np.minimum(self.boxes[i, 2:], self.boxes[j, 2:])
        if y1 <= y0 or x1 <= x0:
            return 0
        views = []
        for k in (i, j):
            top, left = self.boxes[k, :2]
            views.append(self.mask(k)[y0 - top : y1 - top, x0 - left : x1 - left])
        return int(np.count_nonzero(views[0] & views[1]))

    # ------------------------------------------------------------- painted

    def paint(
        self,
        *,
        score_threshold: float = 0.5,
        quality_threshold: float = 0.0,
        covered: float = 0.7,
    ) -> Painted:
        """Paint the candidates into one label image, the most confident first.

        Pixels that two candidates claim go to the more confident one; ties go to
        the one that comes first.

        Parameters
        ----------
        score_threshold
            Candidates of lower classification score are left out.
        quality_threshold
            So are those of lower quality, where the quality is known.
        covered
            So are those of which more than this share is painted already.
        """
        labels = np.zeros(self.shape, np.int32)
        reach = self.reach(score_threshold, quality_threshold)
        index = self.paint_free(labels, reach, covered=covered)
        ids = np.zeros(len(self) + 1, np.int32)
        ids[index + 1] = np.arange(1, len(index) + 1)
        return Painted(ids[labels], index)

    def reach(
        self, score_threshold: float, quality_threshold: float = 0.0
    ) -> BoolArray:
        """Say which (N,) candidates reach both thresholds; NaN quality passes."""
        below = (self.scores < score_threshold) | (self.qualities < quality_threshold)
        return ~below

    def paint_free(
        self, labels: NDArray[np.int32], wanted: BoolArray, *, covered: float
    ) -> NDArray[np.int64]:
        """Paint candidates into the free pixels of a label image.

        Parameters
        ----------
        labels
            (Y, X) int32, changed in place: where it is 0, candidate ``i`` becomes
            ``i + 1``.
        wanted
            (N,) which candidates to paint, the most confident first.
        covered
            Those are left out of which a larger share is not free.

        Returns
        -------
        (K,) int64 the candidates that were painted, in this order.
        """
        order = np.argsort(-self.confidences, kind="stable")
        painted: list[int] = []
        for i in order[wanted[order]].tolist():
            y0, x0, y1, x1 = self.boxes[i].tolist()
            window, mask = labels[y0:y1, x0:x1], self.mask(i)
            free = mask & (window == 0)
            area, kept = np.count_nonzero(mask), np.count_nonzero(free)
            if kept > 0 and area - kept <= covered * area:
                painted.append(i)
                window[free] = i + 1
        return np.array(painted, np.int64)

    def to_labels(
        self, *, score_threshold: float = 0.5, covered: float = 0.7
    ) -> NDArray[np.int32]:
        """Return the (Y, X) int32 label image of `paint`."""
        return self.paint(score_threshold=score_threshold, covered=covered).labels

    def to_table(
        self,
        labels: IntArray,
        index: IntArray,
        classes: Sequence[str],
        pixel_size_um: float | None = None,
    ) -> pd.DataFrame:
        """Describe painted objects, one row each; row i is label i + 1.

        Parameters
        ----------
        labels, index
            What `paint` returned for these candidates.
        classes
            Names of classes 1..C.
        pixel_size_um
            Side of a pixel in micrometres; if known there is ``area_um2`` too.

        Returns
        -------
        ``label, class, class_id, score, quality, confidence, area, bbox_y0,
        bbox_x0, bbox_y1, bbox_x1, touches_border``: areas in pixels, half-open
        boxes of the painted pixels.
        """
        ids, boxes, areas = label_extents(labels)
        told = (self.class_ids[index], self.scores[index], self.qualities[index])
        return pd.DataFrame(
            {"label": ids.astype(np.int32)}
            | object_columns(*told, classes=classes)
            | measured_columns(
                boxes, areas, frame=(0, 0, *self.shape), pixel_size_um=pixel_size_um
            )
        )
