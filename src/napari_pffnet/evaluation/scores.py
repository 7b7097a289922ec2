"""Scores computed from the table of overlaps.

`label_metrics` offers the same for label images and explains the definitions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

import numpy as np

from napari_pffnet.evaluation.matching import (
    count_matches,
    greedy_pairs,
    optimal_pairs,
)

if TYPE_CHECKING:
    from napari_pffnet.evaluation.overlap import (
        BoolArray,
        FloatArray,
        IntArray,
        Overlap,
    )

Criterion = Literal["iou", "coverage"]

IOU_RANGE = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
"""The IoU thresholds 0.5:0.05:0.95 over which APs are averaged."""


class PanopticQuality(NamedTuple):
    """Detection, segmentation and panoptic quality, each in 0..1 (eq. 10)."""

    dq: float
    sq: float
    pq: float


class Counts(NamedTuple):
    """True positives, false positives and false negatives."""

    tp: int
    fp: int
    fn: int

    @property
    def f1(self) -> float:
        """2 TP / (2 TP + FP + FN) (eq. 9); 1 where there is nothing."""
        return _ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    @property
    def ap(self) -> float:
        """TP / (TP + FP + FN); 1 where there is nothing."""
        return _ratio(self.tp, self.tp + self.fp + self.fn)


def aji(overlap: Overlap) -> float:
    """Compute the aggregated Jaccard index of eq. 7 and 8."""
    return _aggregated_jaccard(overlap, greedy_pairs(overlap))


def aji_plus(overlap: Overlap) -> float:
    """Compute the aggregated Jaccard index of the best one-to-one pairs."""
    return _aggregated_jaccard(overlap, optimal_pairs(overlap))


def panoptic_quality(overlap: Overlap) -> PanopticQuality:
    """Panoptic quality of eq. 10; pairs of IoU > 0.5 are unique."""
    if overlap.empty_score is not None:
        return PanopticQuality(*[overlap.empty_score] * 3)
    ious = overlap.ious
    matched = ious[ious > 0.5]
    dq = 2 * len(matched) / (overlap.n_true + overlap.n_pred)
    sq = float(matched.mean()) if len(matched) else 0.0
    return PanopticQuality(dq, sq, dq * sq)


def class_panoptic_quality(
    overlap: Overlap, true_classes: IntArray, pred_classes: IntArray
) -> dict[int, PanopticQuality]:
    """Panoptic quality of each class that occurs; classes are (N,) and (M,)."""
    return {
        class_id: panoptic_quality(
            overlap.select(true_classes == class_id, pred_classes == class_id)
        )
        for class_id in np.union1d(true_classes, pred_classes).tolist()
    }


def match_counts(
    overlap: Overlap, iou: float = 0.5, criterion: Criterion = "iou"
) -> Counts:
    """Count one-to-one matches by IoU (at least ``iou``) or by coverage (> 0.5)."""
    tp = count_matches(overlap, _is_match(overlap, iou, criterion))
    return Counts(tp, overlap.n_pred - tp, overlap.n_true - tp)


def mean_ap(overlap: Overlap) -> float:
    """Mean of TP / (TP + FP + FN) over `IOU_RANGE`."""
    return float(np.mean([match_counts(overlap, iou).ap for iou in IOU_RANGE]))


def dice(overlap: Overlap) -> float:
    """Dice coefficient of the two foregrounds (eq. 11)."""
    total = overlap.true_areas.sum() + overlap.pred_areas.sum()
    return _ratio(2 * overlap.intersections.sum(), total)


def symmetric_best_dice(overlap: Overlap) -> float:
    """Smaller one of the two mean best Dice coefficients (eq. 12 and 13)."""
    if overlap.empty_score is not None:
        return overlap.empty_score
    dices = overlap.dices
    best_of_true = best(dices, overlap.true_index, overlap.n_true)
    best_of_pred = best(dices, overlap.pred_index, overlap.n_pred)
    return float(min(best_of_true.mean(), best_of_pred.mean()))


def object_dice(overlap: Overlap) -> float:
    """Object-level Dice of the GlaS challenge."""
    if overlap.empty_score is not None:
        return overlap.empty_score
    of_true = _dice_of_largest(overlap, overlap.true_index, overlap.n_true)
    of_pred = _dice_of_largest(overlap, overlap.pred_index, overlap.n_pred)
    weighted_true = np.average(of_true, weights=overlap.true_areas)
    weighted_pred = np.average(of_pred, weights=overlap.pred_areas)
    return float(weighted_true + weighted_pred) / 2


def true_iou(overlap: Overlap) -> FloatArray:
    """(M,) the largest IoU of each predicted object with any true one."""
    return best(overlap.ious, overlap.pred_index, overlap.n_pred)


def best(values: FloatArray, index: IntArray, n: int) -> FloatArray:
    """Return the largest value of each of ``n`` objects, 0 where it has none."""
    largest = np.zeros(n)
    np.maximum.at(largest, index, values)
    return largest


def _aggregated_jaccard(overlap: Overlap, pairs: IntArray) -> float:
    intersection = overlap.intersections[pairs].sum()
    # Areas of all objects, matched or not; what a pair shares counts once.
    union = overlap.true_areas.sum() + overlap.pred_areas.sum() - intersection
    return _ratio(intersection, union)


def _is_match(overlap: Overlap, iou: float, criterion: Criterion) -> BoolArray:
    if criterion == "coverage":
        # Integers, so that exactly one half is never more than one half.
        return 2 * overlap.intersections > overlap.true_areas[overlap.true_index]
    if criterion != "iou":
        raise ValueError(
            f"criterion is {criterion!r}; use one of {get_args(Criterion)}."
        )
    if not 0 < iou <= 1:
        raise ValueError(f"iou is {iou}; give a threshold above 0 and at most 1.")
    return overlap.ious >= iou


def _dice_of_largest(overlap: Overlap, index: IntArray, n: int) -> FloatArray:
    """Dice of each object with the one it shares most pixels with, 0 without any."""
    # Last in this order is the largest intersection, of equal ones the lowest id.
    order = np.lexsort((-np.arange(len(index)), overlap.intersections))
    result = np.zeros(n)
    result[index[order]] = overlap.dices[order]
    return result


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else 1.0
