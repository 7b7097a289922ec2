"""Reports over sets of images: mean, standard deviation, and every image."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from napari_pffnet.evaluation import quality
from napari_pffnet.evaluation.errors import ErrorCounts
from napari_pffnet.evaluation.image_scores import (
    METRICS,
    ClassMap,
    ImageResult,
    ImageScores,
    ObjectScores,
    evaluate_pair,
)
from napari_pffnet.evaluation.inputs import (
    LabelSource,
    Tables,
    label_pairs,
)


@dataclass(frozen=True, slots=True)
class QualityScores:
    """How well a network knows its bad objects, over all objects of a set.

    Attributes
    ----------
    n_objects, n_bad
        Predicted objects, and those of a true IoU under 0.5.
    spearman
        Rank correlation of quality and true IoU; NaN without a quality branch.
    auroc_bad
        Area under the ROC curve of the bad objects by low confidence.
    worst_percent, worst_share, worst_share_ceiling
        Share of the bad objects among so many per cent of lowest confidence, and
        the largest share possible.
    """

    n_objects: int
    n_bad: int
    spearman: float
    auroc_bad: float
    worst_percent: float
    worst_share: float
    worst_share_ceiling: float


@dataclass(frozen=True, slots=True)
class Report:
    """Scores of a set of images.

    Attributes
    ----------
    images
        Of each image.
    quality
        None without tables of objects.
    errors
        What went wrong, over all images; None where it was not counted.
    """

    images: tuple[ImageScores, ...]
    quality: QualityScores | None = None
    errors: ErrorCounts | None = None

    @property
    def mean(self) -> dict[str, float]:
        """Mean of each metric over the images that have it."""
        return {name: float(np.mean(v)) for name, v in self._values().items()}

    @property
    def std(self) -> dict[str, float]:
        """Standard deviation of each metric over the images (0 for one image)."""
        return {name: float(np.std(v)) for name, v in self._values().items()}

    def to_dict(self) -> dict[str, Any]:
        """Return everything as a dict fit for JSON; what is undefined is None.

        Returns
        -------
        The mean of each metric under its name, ``n_images``, ``n_true`` and
        ``n_pred`` (totals), ``std`` (a dict by metric), ``errors`` (a dict of
        totals by kind, or None), ``quality`` (a dict or None), ``images`` (a list
        with one dict an image).
        """
        report = {
            "n_images": len(self.images),
            "n_true": sum(image.n_true for image in self.images),
            "n_pred": sum(image.n_pred for image in self.images),
            **self.mean,
            "std": self.std,
            "errors": None if self.errors is None else asdict(self.errors),
            "quality": None if self.quality is None else asdict(self.quality),
            "images": [_without_none(asdict(image)) for image in self.images],
        }
        cleaned: dict[str, Any] = jsonable(report)
        return cleaned

    def _values(self) -> dict[str, list[float]]:
        values = {
            name: [v for v in (getattr(i, name) for i in self.images) if v is not None]
            for name in METRICS
        }
        return {name: found for name, found in values.items() if found}


def summarize(results: Iterable[ImageResult], *, worst_percent: float = 10.0) -> Report:
    """Gather the results of images into the report of a set.

    Parameters
    ----------
    results
        One an image.
    worst_percent
        Per cent of the objects that a reviewer would look at.
    """
    results = tuple(results)
    objects = [result.objects for result in results if result.objects is not None]
    errors = [result.errors for result in results if result.errors is not None]
    return Report(
        images=tuple(result.scores for result in results),
        quality=_quality_scores(objects, worst_percent) if objects else None,
        errors=ErrorCounts.total(errors) if errors else None,
    )


def evaluate(
    true_labels: LabelSource,
    pred_labels: LabelSource,
    *,
    tables: Tables | None = None,
    true_classes: ClassMap | Sequence[ClassMap] | None = None,
    pred_classes: ClassMap | Sequence[ClassMap] | None = None,
    worst_percent: float = 10.0,
) -> dict[str, Any]:
    """Compare predicted label images with true ones.

    Parameters
    ----------
    true_labels, pred_labels
        Two (Y, X) integer arrays with 0 = background, two series of them (lists,
        or arrays (N, Y, X)), or two folders of label images with equal stems;
        predictions may be called ``<stem>_labels.tif`` and come with
        ``<stem>_objects.csv``.
    tables
        One table a predicted image, for arrays: columns ``label, confidence`` and,
        if known, ``quality``.  With tables the report says how well the network
        knows its bad objects.
    true_classes, pred_classes
        The class id of each label, one mapping an image, for ``mpq``.
    worst_percent
        Per cent of the objects of lowest confidence searched for bad ones.

    Returns
    -------
    Metrics of the set as a dict fit for JSON: means under the names of the metrics
    (``aji``, ``pq``, ``f1``, ...), ``std``, ``errors``, ``quality``, ``images``;
    see `Report.to_dict`.

    Raises
    ------
    ValueError
        If images, files, labels or tables do not fit together.

    Examples
    --------
    >>> import numpy as np
    >>> truth = np.array([[1, 1, 0, 2]])
    >>> evaluate(truth, np.array([[5, 5, 0, 0]]))["pq"]
    0.6666666666666666
    """
    classes = [_class_series(c) for c in (true_classes, pred_classes)]
    pairs = label_pairs(true_labels, pred_labels, tables)
    results = [
        evaluate_pair(
            pair,
            true_classes=_class_map(classes[0], number),
            pred_classes=_class_map(classes[1], number),
        )
        for number, pair in enumerate(pairs)
    ]
    return summarize(results, worst_percent=worst_percent).to_dict()


def _quality_scores(objects: Sequence[ObjectScores], percent: float) -> QualityScores:
    confidences = np.concatenate([o.confidences for o in objects])
    qualities = np.concatenate([o.qualities for o in objects])
    true_ious = np.concatenate([o.true_ious for o in objects])
    worst = quality.worst_share(confidences, true_ious, percent)
    return QualityScores(
        n_objects=len(true_ious),
        n_bad=int(np.count_nonzero(true_ious < quality.BAD_IOU)),
        spearman=quality.spearman(qualities, true_ious),
        auroc_bad=quality.auroc_bad(confidences, true_ious),
        worst_percent=float(percent),
        worst_share=worst.share,
        worst_share_ceiling=worst.ceiling,
    )


def _class_series(
    classes: ClassMap | Sequence[ClassMap] | None,
) -> Sequence[ClassMap] | None:
    return [classes] if isinstance(classes, Mapping) else classes


def _class_map(classes: Sequence[ClassMap] | None, number: int) -> ClassMap | None:
    if classes is None:
        return None
    if number >= len(classes):
        raise ValueError(
            f"There are classes for {len(classes)} images only; give one mapping "
            "from label to class id for every image."
        )
    return classes[number]


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def jsonable(value: Any) -> Any:
    """Replace NaN, which JSON does not know, by None, also inside dicts and lists."""
    if isinstance(value, dict):
        return {key: jsonable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [jsonable(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value
