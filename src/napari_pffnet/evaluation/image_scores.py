"""All metrics of one image, and what its objects tell of the network's confidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from napari_pffnet.evaluation import scores
from napari_pffnet.evaluation.errors import ErrorCounts, kinds_of
from napari_pffnet.evaluation.hausdorff import object_hausdorff
from napari_pffnet.evaluation.inputs import LabelPair
from napari_pffnet.evaluation.label_metrics import classes_of, mean_pq
from napari_pffnet.evaluation.overlap import (
    FloatArray,
    Overlap,
    as_array,
    measure_overlap,
)

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike

ClassMap = Mapping[int, int]


@dataclass(frozen=True, slots=True)
class ImageScores:
    """All metrics of one image; `label_metrics` defines them.

    Attributes
    ----------
    name
        Stem of the files, or the position in a series.
    n_true, n_pred
        Numbers of objects; ``count_difference`` is the distance of the two.
    f1, f1_coverage
        Object F1 at IoU 0.5, and by the coverage criterion of the PFFNet paper.
    ap50, ap75, ap
        TP / (TP + FP + FN) at IoU 0.5, 0.75, and its mean over 0.5:0.05:0.95.
    sbd
        Symmetric best Dice.
    object_hausdorff
        Object-level Hausdorff distance in pixels; None where only one of truth and
        prediction has objects.
    bpq, mpq
        PQ of all classes as one, mean PQ of the classes; None without classes.
    """

    name: str
    n_true: int
    n_pred: int
    aji: float
    aji_plus: float
    dq: float
    sq: float
    pq: float
    f1: float
    f1_coverage: float
    ap50: float
    ap75: float
    ap: float
    dice: float
    object_dice: float
    sbd: float
    count_difference: int
    object_hausdorff: float | None = None
    bpq: float | None = None
    mpq: float | None = None


# All fields behind the name and the two numbers of objects.
METRICS = tuple(field.name for field in fields(ImageScores))[3:]
"""Names of the metrics of `ImageScores`."""


@dataclass(frozen=True, slots=True, eq=False)
class ObjectScores:
    """What is known of the predicted objects of one image.

    Attributes
    ----------
    confidences, qualities, true_ious
        (M,) float64 each, in rising order of the labels; NaN quality where the
        network does not estimate it.
    """

    confidences: FloatArray
    qualities: FloatArray
    true_ious: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class ImageResult:
    """Scores of an image, and what is known of its objects.

    Attributes
    ----------
    scores
        Of the whole image.
    objects
        Of each object, where a table tells their confidence.
    errors
        How many objects were merged, split, missed and so on, where counted.
    """

    scores: ImageScores
    objects: ObjectScores | None = None
    errors: ErrorCounts | None = None


def evaluate_image(
    true_labels: ArrayLike,
    pred_labels: ArrayLike,
    *,
    name: str = "",
    true_classes: ClassMap | None = None,
    pred_classes: ClassMap | None = None,
) -> ImageScores:
    """Compute all metrics of one image.

    Parameters
    ----------
    true_labels, pred_labels
        (Y, X) label images, any integer dtype, 0 = background.
    name
        What the image is called in the report.
    true_classes, pred_classes
        The class id of each label, for ``mpq``; both or none.

    Raises
    ------
    ValueError
        If the shapes differ, labels are no integers or negative, or a label has
        no class.
    """
    pair = LabelPair(name, true_labels, pred_labels)
    overlap = measure_overlap(true_labels, pred_labels)
    return _image_scores(overlap, pair, true_classes, pred_classes)


def evaluate_pair(
    pair: LabelPair,
    *,
    true_classes: ClassMap | None = None,
    pred_classes: ClassMap | None = None,
) -> ImageResult:
    """Compute all metrics of one image and, with a table, what its objects add.

    Raises
    ------
    ValueError
        As `evaluate_image`, with the name of the image; or if the table lacks a
        label or a column.
    """
    try:
        overlap = measure_overlap(pair.true, pair.pred)
        image = _image_scores(overlap, pair, true_classes, pred_classes)
        objects = None if pair.table is None else _object_scores(overlap, pair.table)
    except ValueError as error:
        raise ValueError(f"Image {pair.name!r}: {error}") from error
    return ImageResult(image, objects, kinds_of(overlap).counts)


def _image_scores(
    overlap: Overlap,
    pair: LabelPair,
    true_classes: ClassMap | None,
    pred_classes: ClassMap | None,
) -> ImageScores:
    pq = scores.panoptic_quality(overlap)
    mpq = None
    if true_classes is not None and pred_classes is not None:
        mpq = mean_pq(
            scores.class_panoptic_quality(
                overlap,
                classes_of(overlap.true_ids, true_classes),
                classes_of(overlap.pred_ids, pred_classes),
            )
        )
    elif true_classes is not None or pred_classes is not None:
        raise ValueError("Classes are given of one side only; give both or none.")
    at_half = scores.match_counts(overlap)
    distance = object_hausdorff(overlap, as_array(pair.true), as_array(pair.pred))
    return ImageScores(
        name=pair.name,
        n_true=overlap.n_true,
        n_pred=overlap.n_pred,
        aji=scores.aji(overlap),
        aji_plus=scores.aji_plus(overlap),
        dq=pq.dq,
        sq=pq.sq,
        pq=pq.pq,
        f1=at_half.f1,
        f1_coverage=scores.match_counts(overlap, criterion="coverage").f1,
        ap50=at_half.ap,
        ap75=scores.match_counts(overlap, 0.75).ap,
        ap=scores.mean_ap(overlap),
        dice=scores.dice(overlap),
        object_dice=scores.object_dice(overlap),
        sbd=scores.symmetric_best_dice(overlap),
        count_difference=abs(overlap.n_pred - overlap.n_true),
        object_hausdorff=distance if np.isfinite(distance) else None,
        bpq=None if mpq is None else pq.pq,
        mpq=mpq,
    )


def _object_scores(overlap: Overlap, table: pd.DataFrame) -> ObjectScores:
    absent = {"label", "confidence"} - set(table.columns)
    if absent:
        raise ValueError(
            f"the table of objects has no column {sorted(absent)[0]!r}; "
            "it needs label, confidence and, if known, quality."
        )
    rows = table.drop_duplicates("label").set_index("label")
    missing = np.setdiff1d(overlap.pred_ids, rows.index.to_numpy())
    if len(missing):
        raise ValueError(
            f"{len(missing)} labels have no row in the table of objects, the first "
            f"is {missing[0]}; take table and labels from one segmentation."
        )
    rows = rows.loc[overlap.pred_ids]
    n = overlap.n_pred
    known = _numbers(rows, "quality") if "quality" in rows else np.full(n, np.nan)
    return ObjectScores(_numbers(rows, "confidence"), known, scores.true_iou(overlap))


def _numbers(rows: pd.DataFrame, column: str) -> FloatArray:
    try:
        return rows[column].to_numpy(np.float64)
    except ValueError as error:
        raise ValueError(
            f"the column {column} of the table of objects does not hold numbers only "
            f"({error}); take the table that belongs to the labels."
        ) from error
