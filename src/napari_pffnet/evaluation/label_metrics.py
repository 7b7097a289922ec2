"""Metrics of two label images.

In all of them 0 is background and ids are any positive integers.  But for
`count_difference` and `object_hausdorff`, what is returned lies in 0..1: 1 where
there is neither truth nor prediction, 0 where only one of them is empty.  Shapes
that differ, labels that are no integers and negative labels raise ValueError.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_pffnet.evaluation import hausdorff, scores
from napari_pffnet.evaluation.overlap import (
    FloatArray,
    IntArray,
    as_array,
    measure_overlap,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike

    from napari_pffnet.evaluation.scores import Criterion, PanopticQuality


def aji(true_labels: ArrayLike, pred_labels: ArrayLike) -> float:
    """Compute the aggregated Jaccard index (eq. 7 and 8 of the PFFNet paper).

    The true objects, in the order of their ids, each take the prediction of best
    IoU that is still free.  The area of predictions nobody took joins the union,
    and so does a true object that found none.

    Parameters
    ----------
    true_labels, pred_labels
        (Y, X) integers.
    """
    return scores.aji(measure_overlap(true_labels, pred_labels))


def aji_plus(true_labels: ArrayLike, pred_labels: ArrayLike) -> float:
    """Compute the AJI with the one-to-one pairs of the largest sum of IoUs.

    Unlike `aji` it does not depend on the order of the ids.
    """
    return scores.aji_plus(measure_overlap(true_labels, pred_labels))


def panoptic_quality(true_labels: ArrayLike, pred_labels: ArrayLike) -> PanopticQuality:
    """Compute detection, segmentation and panoptic quality (eq. 10).

    Pairs of IoU > 0.5 match.  Over objects of all classes this is bPQ.

    Returns
    -------
    ``(dq, sq, pq)``, a named tuple.
    """
    return scores.panoptic_quality(measure_overlap(true_labels, pred_labels))


def class_panoptic_quality(
    true_labels: ArrayLike,
    pred_labels: ArrayLike,
    true_classes: Mapping[int, int],
    pred_classes: Mapping[int, int],
) -> dict[int, PanopticQuality]:
    """Compute the panoptic quality of each class by itself.

    Parameters
    ----------
    true_labels, pred_labels
        (Y, X) integers.
    true_classes, pred_classes
        The class id of each label.

    Returns
    -------
    The quality of each class that occurs in the truth or in the prediction.

    Raises
    ------
    ValueError
        If an object has no class.
    """
    overlap = measure_overlap(true_labels, pred_labels)
    return scores.class_panoptic_quality(
        overlap,
        classes_of(overlap.true_ids, true_classes),
        classes_of(overlap.pred_ids, pred_classes),
    )


def mean_panoptic_quality(
    true_labels: ArrayLike,
    pred_labels: ArrayLike,
    true_classes: Mapping[int, int],
    pred_classes: Mapping[int, int],
) -> float:
    """Compute mPQ: the mean PQ over the classes that occur, 1 if none does.

    Parameters are those of `class_panoptic_quality`.
    """
    return mean_pq(
        class_panoptic_quality(true_labels, pred_labels, true_classes, pred_classes)
    )


def object_f1(
    true_labels: ArrayLike,
    pred_labels: ArrayLike,
    iou: float = 0.5,
    *,
    criterion: Criterion = "iou",
) -> float:
    """Compute the F1 score of detected objects (eq. 9), matched one to one.

    Parameters
    ----------
    true_labels, pred_labels
        (Y, X) integers.
    iou
        Lowest IoU of a match; above 0, at most 1.
    criterion
        ``"iou"``, or ``"coverage"`` as in the PFFNet paper (IV-B): a prediction
        that covers more than half of a true object detects it, however large it
        is; ``iou`` is not used then.
    """
    overlap = measure_overlap(true_labels, pred_labels)
    return scores.match_counts(overlap, iou, criterion).f1


def ap_at(true_labels: ArrayLike, pred_labels: ArrayLike, iou: float = 0.5) -> float:
    """Compute TP / (TP + FP + FN) of objects matched one to one at ``iou`` or more.

    This "average precision" of label images knows no confidences; the area under
    a precision-recall curve is `average_precision`.
    """
    return scores.match_counts(measure_overlap(true_labels, pred_labels), iou).ap


def mean_ap(true_labels: ArrayLike, pred_labels: ArrayLike) -> float:
    """Compute the mean of `ap_at` over the IoUs 0.5, 0.55, ..., 0.95."""
    return scores.mean_ap(measure_overlap(true_labels, pred_labels))


def dice(true_labels: ArrayLike, pred_labels: ArrayLike) -> float:
    """Compute the Dice coefficient of the two foregrounds, pixel by pixel (eq. 11)."""
    return scores.dice(measure_overlap(true_labels, pred_labels))


def symmetric_best_dice(true_labels: ArrayLike, pred_labels: ArrayLike) -> float:
    """Compute the symmetric best Dice of the CVPPP challenge (eq. 12 and 13).

    The smaller one of two means: the best Dice of every predicted object with any
    true one, and of every true object with any predicted one.
    """
    return scores.symmetric_best_dice(measure_overlap(true_labels, pred_labels))


def count_difference(true_labels: ArrayLike, pred_labels: ArrayLike) -> int:
    """Count how many objects too few or too many: |DiC| of the CVPPP challenge."""
    overlap = measure_overlap(true_labels, pred_labels)
    return abs(overlap.n_pred - overlap.n_true)


def object_dice(true_labels: ArrayLike, pred_labels: ArrayLike) -> float:
    """Compute the object-level Dice of the GlaS challenge (MICCAI 2015).

    Each object is compared with the one it shares most pixels with (of equal ones
    the lower id; 0 without any); these Dice coefficients are averaged with the
    objects' areas as weights, once over the true and once over the predicted
    objects, and the score is the mean of both.
    """
    return scores.object_dice(measure_overlap(true_labels, pred_labels))


def object_hausdorff(true_labels: ArrayLike, pred_labels: ArrayLike) -> float:
    """Compute the object-level Hausdorff distance of the GlaS challenge.

    The Hausdorff distance of two objects is the largest distance from a pixel of one
    to the nearest pixel of the other.  Each object is compared with the one it shares
    most pixels with (of equal ones the lower id), or, where it meets none, with the
    one of smallest distance; these distances are averaged with the objects' areas as
    weights, once over the true and once over the predicted objects, and the result
    is the mean of both.

    Returns
    -------
    Pixels, the smaller the better: 0 without any object, infinite where only one
    side has objects.
    """
    overlap = measure_overlap(true_labels, pred_labels)
    true, pred = as_array(true_labels), as_array(pred_labels)
    return hausdorff.object_hausdorff(overlap, true, pred)


def true_iou(true_labels: ArrayLike, pred_labels: ArrayLike) -> FloatArray:
    """Return each predicted object's largest IoU with any true one.

    Returns
    -------
    (M,) float64, in rising order of the predicted ids; 0 without any overlap.
    """
    return scores.true_iou(measure_overlap(true_labels, pred_labels))


def mean_pq(by_class: Mapping[int, PanopticQuality]) -> float:
    """Return the mean PQ of the classes, 1 if there is none."""
    return float(np.mean([q.pq for q in by_class.values()])) if by_class else 1.0


def classes_of(ids: IntArray, classes: Mapping[int, int]) -> IntArray:
    """Return the class of each label.

    Raises
    ------
    ValueError
        If a label has no class.
    """
    missing = [label for label in ids.tolist() if label not in classes]
    if missing:
        raise ValueError(
            f"{len(missing)} labels have no class, the first is {missing[0]}; "
            "give a class id for every label of the image."
        )
    return np.array([classes[label] for label in ids.tolist()], np.int64)
