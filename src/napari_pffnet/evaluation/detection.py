"""Average precision of detections with confidences, pooled over a set of images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from napari_pffnet.evaluation.label_metrics import classes_of
from napari_pffnet.evaluation.overlap import (
    BoolArray,
    FloatArray,
    IntArray,
    checked_labels,
    number_objects,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike

    from napari_pffnet.instances import Instances

Style = Literal["voc", "coco"]


@dataclass(frozen=True, slots=True, eq=False)
class _Judged:
    """The detections of one image, or of a whole set, and which of them are right.

    ``confidences`` and ``classes`` (N,), ``is_hit`` (T, N) for T thresholds,
    ``true_classes`` one item a true object.
    """

    confidences: FloatArray
    classes: IntArray
    is_hit: BoolArray
    true_classes: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class _Pairs:
    """Detections and truths of one class that meet, sorted by detection."""

    detection: IntArray
    truth: IntArray
    ious: FloatArray


def average_precision(
    true_labels: Sequence[ArrayLike],
    detections: Sequence[Instances],
    *,
    style: Style = "voc",
    iou: float | Sequence[float] = 0.5,
    true_classes: Sequence[Mapping[int, int]] | None = None,
) -> float:
    """Compute the area under the precision-recall curve of a set of images.

    All candidates take part, before painting, overlaps kept.  In falling
    confidence each takes the true object of its image with the best IoU that is
    still free; the set's detections are then pooled by confidence.  There is no
    limit on their number and no range of areas.

    Parameters
    ----------
    true_labels
        One (Y, X) label image an image.
    detections
        The candidates of the same images in the same order.
    style
        ``"voc"``: exact area under the interpolated curve.  ``"coco"``: its mean
        at the recalls 0, 0.01, ..., 1.
    iou
        Lowest IoU of a hit, or several over which to average (`IOU_RANGE`).
    true_classes
        The class id of each true label, image by image.  Then only objects of one
        class match and the result is the mean over the classes of the truth;
        without it all objects count as one class.

    Returns
    -------
    0..1; 1 without any truth or detection, 0 if only one side is empty.

    Raises
    ------
    ValueError
        If the numbers of images or their shapes differ, labels are not valid, or
        an option is unknown.
    """
    if style not in get_args(Style):
        raise ValueError(f"style is {style!r}; use one of {get_args(Style)}.")
    thresholds = np.atleast_1d(np.asarray(iou, np.float64))
    if not ((thresholds > 0) & (thresholds <= 1)).all():
        raise ValueError(f"iou is {iou}; give thresholds above 0 and at most 1.")
    images = _judge_all(true_labels, detections, thresholds, true_classes)
    classes = np.unique(images.true_classes)
    if len(classes) == 0:
        return 0.0 if len(images.confidences) else 1.0
    area = _voc_area if style == "voc" else _coco_area
    order = np.argsort(-images.confidences, kind="stable")
    areas = [
        area(is_hit[order][images.classes[order] == class_id], n_true)
        for class_id, n_true in zip(*_counted(images.true_classes), strict=True)
        for is_hit in images.is_hit
    ]
    return float(np.mean(areas))


def _judge_all(
    true_labels: Sequence[ArrayLike],
    detections: Sequence[Instances],
    thresholds: FloatArray,
    true_classes: Sequence[Mapping[int, int]] | None,
) -> _Judged:
    classes = [None] * len(true_labels) if true_classes is None else true_classes
    if not len(true_labels) == len(detections) == len(classes):
        raise ValueError(
            f"There are {len(true_labels)} label images, {len(detections)} sets of "
            f"detections and {len(classes)} sets of classes; give one an image."
        )
    judged = [
        _judge(labels, found, thresholds, of_image)
        for labels, found, of_image in zip(
            true_labels, detections, classes, strict=True
        )
    ]
    no_hits = np.empty((len(thresholds), 0), np.bool_)
    nothing = _Judged(np.empty(0), np.empty(0, np.int64), no_hits, np.empty(0, int))
    parts = [nothing, *judged]
    return _Judged(
        confidences=np.concatenate([part.confidences for part in parts]),
        classes=np.concatenate([part.classes for part in parts]),
        is_hit=np.concatenate([part.is_hit for part in parts], axis=1),
        true_classes=np.concatenate([part.true_classes for part in parts]),
    )


def _judge(
    true_labels: ArrayLike,
    found: Instances,
    thresholds: FloatArray,
    classes_by_label: Mapping[int, int] | None,
) -> _Judged:
    labels = checked_labels(true_labels, "true_labels")
    if labels.shape != found.shape:
        raise ValueError(
            f"A label image has shape {labels.shape} and its detections lie in "
            f"an image of {found.shape}; give both of the same image, (Y, X)."
        )
    ids, codes = number_objects(labels)
    true_classes: IntArray = np.ones(len(ids), np.int64)
    classes: IntArray = np.ones(len(found), np.int64)
    if classes_by_label is not None:
        true_classes = classes_of(ids, classes_by_label)
        classes = found.class_ids
    pairs = _meeting_pairs(codes.reshape(labels.shape), len(ids), found)
    same = true_classes[pairs.truth] == classes[pairs.detection]
    pairs = _Pairs(pairs.detection[same], pairs.truth[same], pairs.ious[same])
    confidences = found.confidences.astype(np.float64)
    order = np.argsort(-confidences, kind="stable")
    is_hit = [_greedy_hits(pairs, order, len(ids), iou) for iou in thresholds.tolist()]
    return _Judged(confidences, classes, np.stack(is_hit), true_classes)


def _meeting_pairs(codes: IntArray, n_true: int, found: Instances) -> _Pairs:
    """Measure the IoU of each detection with each true object that it meets."""
    true_areas = np.bincount(codes.ravel(), minlength=n_true + 1)
    areas = found.areas
    detection: list[IntArray] = []
    truth: list[IntArray] = []
    intersections: list[IntArray] = []
    for i, (y0, x0, y1, x1) in enumerate(found.boxes.tolist()):
        met, counts = np.unique(codes[y0:y1, x0:x1][found.mask(i)], return_counts=True)
        real = met > 0
        truth.append(met[real] - 1)
        intersections.append(counts[real])
        detection.append(np.full(np.count_nonzero(real), i))
    which, true_index = _joined(detection), _joined(truth)
    shared = _joined(intersections)
    union = areas[which] + true_areas[true_index + 1] - shared
    return _Pairs(which, true_index, shared / union)


def _joined(parts: Sequence[IntArray]) -> IntArray:
    return np.concatenate([np.empty(0, np.int64), *parts])


def _greedy_hits(pairs: _Pairs, order: IntArray, n_true: int, iou: float) -> BoolArray:
    """Match at one threshold as COCO does; (N,) whether each detection is right."""
    # COCO's own guard, so that a perfect mask counts at a threshold of 1.
    near = np.flatnonzero(pairs.ious >= min(iou, 1 - 1e-10))
    starts = np.searchsorted(pairs.detection[near], np.arange(len(order) + 1))
    free = np.ones(n_true, np.bool_)
    is_hit = np.zeros(len(order), np.bool_)
    for i in order.tolist():
        met = near[starts[i] : starts[i + 1]]
        met = met[free[pairs.truth[met]]]
        if len(met):
            # Of equal ones COCO takes the last.
            best = met[::-1][pairs.ious[met[::-1]].argmax()]
            free[pairs.truth[best]] = False
            is_hit[i] = True
    return is_hit


def _counted(classes: IntArray) -> tuple[list[int], list[int]]:
    ids, counts = np.unique(classes, return_counts=True)
    return ids.tolist(), counts.tolist()


def _curve(is_hit: BoolArray, n_true: int) -> tuple[FloatArray, FloatArray]:
    """Recall, and the best precision at that recall or a higher one."""
    hits = np.cumsum(is_hit)
    precision = hits / np.arange(1, len(is_hit) + 1)
    return hits / n_true, np.maximum.accumulate(precision[::-1])[::-1]


def _voc_area(is_hit: BoolArray, n_true: int) -> float:
    recall, precision = _curve(is_hit, n_true)
    return float(np.sum(np.diff(recall, prepend=0) * precision))


def _coco_area(is_hit: BoolArray, n_true: int) -> float:
    recall, precision = _curve(is_hit, n_true)
    first = np.searchsorted(recall, np.linspace(0, 1, 101))
    return float(np.append(precision, 0.0)[first].mean())
