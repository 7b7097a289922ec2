"""The sparse table of overlaps between two label images: what all metrics read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

IntArray = NDArray[np.integer[Any]]
FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Overlap:
    """Which of N true objects meets which of M predicted ones, and in how many pixels.

    Attributes
    ----------
    true_ids, pred_ids
        (N,) and (M,) labels, rising; background 0 is left out.
    true_areas, pred_areas
        (N,) and (M,) int64, pixels.
    true_index, pred_index
        (K,) int64, the pairs that share a pixel, as positions in the ids, sorted
        by true object, then by predicted one.
    intersections
        (K,) int64, shared pixels of each pair.
    """

    true_ids: IntArray
    pred_ids: IntArray
    true_areas: IntArray
    pred_areas: IntArray
    true_index: IntArray
    pred_index: IntArray
    intersections: IntArray

    @property
    def n_true(self) -> int:
        """Number of true objects."""
        return len(self.true_ids)

    @property
    def n_pred(self) -> int:
        """Number of predicted objects."""
        return len(self.pred_ids)

    @property
    def empty_score(self) -> float | None:
        """1 with no object at all, 0 if only one side is empty, None otherwise."""
        if self.n_true and self.n_pred:
            return None
        return 0.0 if self.n_true or self.n_pred else 1.0

    @property
    def ious(self) -> FloatArray:
        """(K,) float64, intersection over union of each pair."""
        sums = self.true_areas[self.true_index] + self.pred_areas[self.pred_index]
        return self.intersections / (sums - self.intersections)

    @property
    def dices(self) -> FloatArray:
        """(K,) float64, Dice coefficient of each pair."""
        sums = self.true_areas[self.true_index] + self.pred_areas[self.pred_index]
        return 2 * self.intersections / sums

    def select(self, is_true: BoolArray, is_pred: BoolArray) -> Overlap:
        """Keep some objects: (N,) and (M,) bool.  Areas stay those of whole objects."""
        kept = is_true[self.true_index] & is_pred[self.pred_index]
        return Overlap(
            true_ids=self.true_ids[is_true],
            pred_ids=self.pred_ids[is_pred],
            true_areas=self.true_areas[is_true],
            pred_areas=self.pred_areas[is_pred],
            true_index=(np.cumsum(is_true) - 1)[self.true_index[kept]],
            pred_index=(np.cumsum(is_pred) - 1)[self.pred_index[kept]],
            intersections=self.intersections[kept],
        )


def measure_overlap(true_labels: ArrayLike, pred_labels: ArrayLike) -> Overlap:
    """Count the pixels that true and predicted objects share.

    Time and memory go with the pixels and the pairs that touch, never with the
    number of objects times the image.

    Parameters
    ----------
    true_labels, pred_labels
        Label images of one shape, (Y, X) or any other; any integer dtype, 0 is
        background, as is what a mask hides, ids may have gaps.

    Raises
    ------
    ValueError
        If the shapes differ, or labels are no integers or negative.
    """
    true = checked_labels(true_labels, "true_labels")
    pred = checked_labels(pred_labels, "pred_labels")
    if true.shape != pred.shape:
        raise ValueError(
            f"true_labels has shape {true.shape} and pred_labels {pred.shape}; "
            "give two label images of the same field and size."
        )
    true_ids, true_codes = number_objects(true)
    pred_ids, pred_codes = number_objects(pred)
    columns = len(pred_ids) + 1
    codes, pairs = pd.factorize(true_codes * columns + pred_codes)
    order = np.argsort(pairs)
    row, column = np.divmod(pairs[order], columns)
    counts = np.bincount(codes, minlength=len(pairs))[order]
    both = (row > 0) & (column > 0)
    return Overlap(
        true_ids=true_ids,
        pred_ids=pred_ids,
        true_areas=np.bincount(true_codes, minlength=len(true_ids) + 1)[1:],
        pred_areas=np.bincount(pred_codes, minlength=columns)[1:],
        true_index=row[both] - 1,
        pred_index=column[both] - 1,
        intersections=counts[both],
    )


def checked_labels(labels: ArrayLike, name: str) -> IntArray:
    """Return ``labels`` as an array after making sure that it is a label image.

    Raises
    ------
    ValueError
        If they are no integers or negative.
    """
    array = as_array(labels)
    if not np.issubdtype(array.dtype, np.integer):
        raise ValueError(
            f"{name} has dtype {array.dtype}; give integers, 0 for background and "
            "one id an object (a mask becomes that by skimage.measure.label)."
        )
    if array.size and np.issubdtype(array.dtype, np.signedinteger) and array.min() < 0:
        raise ValueError(
            f"{name} has the negative label {array.min()}; "
            "use 0 for background and positive ids for objects."
        )
    return array


def as_array(labels: ArrayLike) -> IntArray:
    """Return a label image as an array; what a mask hides is background."""
    return np.asarray(np.ma.filled(labels, 0))


def number_objects(labels: IntArray) -> tuple[IntArray, IntArray]:
    """Return the ids, rising and without 0, and the flat image renumbered 0..N."""
    # Hashing is several times faster than the sort of np.unique; it wants the
    # byte order of this machine, which big-endian TIFFs do not have.
    native = labels.astype(labels.dtype.newbyteorder("="), copy=False)
    codes, ids = pd.factorize(native.ravel(), sort=True)
    if len(ids) and ids[0] == 0:
        return ids[1:], codes
    return ids, codes + 1
