"""Scores of a network on whole images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_pffnet.config import Thresholds
from napari_pffnet.evaluation import measure_overlap
from napari_pffnet.evaluation.scores import aji, panoptic_quality
from napari_pffnet.segmentation import to_instances
from napari_pffnet.segmentation.predictor import Predictor
from napari_pffnet.training.steps import SetScores

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from torch import nn

    from napari_pffnet.data.training_image import TrainingImage
    from napari_pffnet.instances import Instances
    from napari_pffnet.training.precision import Arithmetic
    from napari_pffnet.training.processes import Processes

SCORE_THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
"""Values of beta among which a validation chooses."""


@dataclass(frozen=True, slots=True)
class Validation:
    """Scores of a validation at the threshold that suits it best.

    Attributes
    ----------
    scores
        Scores of each set by its name.
    score
        Mean of AJI and PQ over the sets.
    score_threshold
        The lowest classification score, beta, that gave them.
    example
        What was found in the first image, (Y, X), to show.
    """

    scores: Mapping[str, SetScores]
    score: float
    score_threshold: float
    example: NDArray[np.int32]


def validate(
    network: nn.Module,
    images_by_set: Mapping[str, Sequence[TrainingImage]],
    arithmetic: Arithmetic,
    processes: Processes,
    *,
    limit: int = 0,
) -> Validation:
    """Score a network on whole images of their own scale.

    Parameters
    ----------
    network
        Left in training mode.
    images_by_set
        Images by the name of their set; at least one set, none of them empty.
    arithmetic
        Device and type of the forward pass.
    processes
        They share the images; all get the same scores.
    limit
        Use at most so many images a set, evenly spread; 0: all.
    """
    predictor = Predictor(network.eval(), arithmetic.device, arithmetic.dtype)
    tables, first = {}, None
    for name, images in images_by_set.items():
        rows = []
        for image in processes.share(_some(images, limit)):
            found = _find(predictor, image)
            rows.append(_score(image, found))
            first = found if first is None else first
        tables[name] = np.stack(processes.gather(rows))
    network.train()
    # (sets, thresholds, 2): the sets count alike, however many images they have.
    means = np.stack([table.mean(0) for table in tables.values()])
    by_threshold = means.mean((0, 2))
    best = int(by_threshold.argmax())
    scores = {
        name: SetScores(float(mean[best, 0]), float(mean[best, 1]), len(table))
        for (name, table), mean in zip(tables.items(), means, strict=True)
    }
    threshold = SCORE_THRESHOLDS[best]
    example = np.zeros((0, 0), np.int32) if first is None else _paint(first, threshold)
    return Validation(scores, float(by_threshold[best]), threshold, example)


def _find(predictor: Predictor, image: TrainingImage) -> Instances:
    height, width = image.labels.shape
    (output,) = predictor(image.unit_image)
    return to_instances(output.detections, (height, width))


def _paint(found: Instances, threshold: float) -> NDArray[np.int32]:
    return found.to_labels(score_threshold=threshold, covered=Thresholds().covered)


def _score(image: TrainingImage, found: Instances) -> NDArray[np.float64]:
    """Return (thresholds, 2): AJI and PQ of one image."""
    return np.array([_compare(image, _paint(found, t)) for t in SCORE_THRESHOLDS])


def _compare(image: TrainingImage, labels: NDArray[np.int32]) -> tuple[float, float]:
    """Return AJI and PQ where the truth is known."""
    truth = image.labels
    if image.ignore is not None:
        # Objects that lie for the most part in the unknown are neither right nor
        # wrong; of the others what is known counts.
        full = np.bincount(labels.ravel())
        known = np.bincount(labels[~image.ignore], minlength=len(full))
        labels = np.where(image.ignore | (2 * known < full)[labels], 0, labels)
        truth = np.where(image.ignore, 0, truth)
    overlap = measure_overlap(truth, labels)
    return aji(overlap), panoptic_quality(overlap).pq


def _some(images: Sequence[TrainingImage], limit: int) -> list[TrainingImage]:
    """Return at most ``limit`` images, evenly spread over the sequence."""
    if limit == 0 or limit >= len(images):
        return list(images)
    return [images[i * len(images) // limit] for i in range(limit)]
