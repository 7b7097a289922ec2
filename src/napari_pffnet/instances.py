"""Objects of one image: boxes, cropped masks, classes, scores and qualities.

Masks live cropped to their windows and end to end in one array, so that memory
and time go with the sum of the windows and never with objects x image.
Coordinates are continuous: pixel i covers [i, i + 1), its centre is i + 0.5.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

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
        known = ~np.isnan(self.qualities)
        return np.where(known, self.scores * self.qualities, self.scores)

    @property
    def areas(self) -> NDArray[np.int64]:
        """(N,) int64: pixels of each mask, overlaps included."""
        sums = np.concatenate([[0], np.cumsum(self.masks, dtype=np.int64)])
        return np.diff(sums[self.offsets])

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
        """
        ids, boxes, _ = label_extents(labels)
        crops = [
            labels[y0:y1, x0:x1] == i
            for i, (y0, x0, y1, x1) in zip(ids, boxes, strict=True)
        ]
        n = len(ids)
        return cls._from_windows(
            crops,
            boxes,
            np.ones(n) if class_ids is None else class_ids,
            np.ones(n) if scores is None else scores,
            np.full(n, np.nan) if qualities is None else qualities,
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
        windows = _windows(boxes_xyxy, shape)
        crops = [
            _paste(grid, box, window)
            for grid, box, window in zip(
                probabilities, boxes_xyxy.tolist(), windows.tolist(), strict=True
            )
        ]
        found = cls._from_windows(crops, windows, class_ids, scores, qualities, shape)
        return found.select(found.areas > 0)

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
        sizes = np.array([crop.size for crop in crops], np.int64)
        flat = [crop.ravel() for crop in crops]
        return cls(
            boxes=np.asarray(boxes, np.int32).reshape(-1, 4),
            masks=np.concatenate(flat) if flat else np.empty(0, np.bool_),
            offsets=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
            class_ids=np.asarray(class_ids, np.int32),
            scores=np.asarray(scores, np.float32),
            qualities=np.asarray(qualities, np.float32),
            shape=(int(shape[0]), int(shape[1])),
        )

    # ------------------------------------------------------------- changed

    def select(self, index: ArrayLike) -> Self:
        """Return the candidates at ``index``: positions, in their order, or a mask."""
        positions = np.asarray(index)
        if positions.dtype == np.bool_:
            positions = np.flatnonzero(positions)
        positions = positions.astype(np.int64)
        return self._from_windows(
            [self.mask(i) for i in positions.tolist()],
            self.boxes[positions],
            self.class_ids[positions],
            self.scores[positions],
            self.qualities[positions],
            self.shape,
        )

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
        shifted = self._from_windows(crops, inside, *values, shape)
        return shifted.select(shifted.areas > 0)

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

    def paint(self, *, score_threshold: float = 0.5, covered: float = 0.7) -> Painted:
        """Paint the candidates into one label image, the most confident first.

        Pixels that two candidates claim go to the more confident one; ties go to
        the one that comes first.

        Parameters
        ----------
        score_threshold
            Candidates of lower classification score are left out.
        covered
            So are those of which more than this share is painted already.
        """
        labels = np.zeros(self.shape, np.int32)
        order = np.argsort(-self.confidences, kind="stable")
        index: list[int] = []
        for i in order[self.scores[order] >= score_threshold].tolist():
            y0, x0, y1, x1 = self.boxes[i].tolist()
            window, mask = labels[y0:y1, x0:x1], self.mask(i)
            free = mask & (window == 0)
            area, kept = np.count_nonzero(mask), np.count_nonzero(free)
            if kept > 0 and area - kept <= covered * area:
                index.append(i)
                window[free] = len(index)
        return Painted(labels, np.array(index, np.int64))

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
        class_ids = self.class_ids[index]
        table: dict[str, Any] = {
            "label": ids.astype(np.int32),
            "class": np.array(classes, dtype=object)[class_ids - 1],
            "class_id": class_ids,
            "score": self.scores[index],
            "quality": self.qualities[index],
            "confidence": self.confidences[index],
            "area": areas,
        }
        names = ("bbox_y0", "bbox_x0", "bbox_y1", "bbox_x1")
        table |= dict(zip(names, boxes.T, strict=True))
        at_end = boxes[:, 2:] == np.array(labels.shape)
        table["touches_border"] = ((boxes[:, :2] == 0) | at_end).any(axis=1)
        if pixel_size_um is not None:
            table["area_um2"] = areas * pixel_size_um**2
        return pd.DataFrame(table)


def label_extents(
    labels: IntArray,
) -> tuple[IntArray, NDArray[np.int64], NDArray[np.int64]]:
    """Measure the objects of a (Y, X) label image.

    Returns
    -------
    (N,) ids rising, (N, 4) int64 half-open boxes y0, x0, y1, x1, (N,) int64 areas.
    """
    flat = np.flatnonzero(labels)
    values = labels.ravel()[flat]
    order = np.argsort(values, kind="stable")
    ids, starts, areas = np.unique(values[order], return_index=True, return_counts=True)
    if len(ids) == 0:
        return ids, np.empty((0, 4), np.int64), areas
    y, x = np.divmod(flat[order], labels.shape[1])
    lowest = [np.minimum.reduceat(a, starts) for a in (y, x)]
    highest = [np.maximum.reduceat(a, starts) + 1 for a in (y, x)]
    return ids, np.stack([*lowest, *highest], axis=1), areas


def _windows(boxes_xyxy: FloatArray, shape: Shape) -> NDArray[np.int64]:
    """Return (N, 4) y0, x0, y1, x1: the pixels whose centres lie in the boxes."""
    yxyx = np.asarray(boxes_xyxy, np.float64).reshape(-1, 4)[:, [1, 0, 3, 2]]
    windows = np.clip(np.ceil(yxyx - 0.5), 0, [*shape, *shape]).astype(np.int64)
    windows[:, 2:] = np.maximum(windows[:, 2:], windows[:, :2])
    return windows


def _paste(grid: FloatArray, box: list[float], window: list[int]) -> BoolArray:
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
