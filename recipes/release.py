"""Choose the thresholds of a trained model on ``val/``, score it, and release it.

    python recipes/release.py runs/nuclei.safetensors --data ../shared/data

writes the float16 checkpoint into the package and the scores as JSON beside the
model's card in ``docs/models``; with ``--dry-run`` it only prints them.  On a CPU
``--processes`` with one core each are faster than one process with all of them.
"""

from __future__ import annotations

import argparse
import json
import logging
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from itertools import product, repeat
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy.optimize import minimize
from scipy.special import logit
from tqdm import tqdm
from train import SHARES
from variant import Variant

from napari_pffnet import evaluation as ev
from napari_pffnet.config import CheckpointInfo, Recipe, Thresholds
from napari_pffnet.data.readers import read_image, read_labels
from napari_pffnet.provenance import joined
from napari_pffnet.segmentation import segment
from napari_pffnet.weights import Model, load_model, save_checkpoint

if TYPE_CHECKING:
    from napari_pffnet.instances import Instances
    from napari_pffnet.pffnet.network import PFFNet

ROOT = Path(__file__).parents[1]
CHOICES = [
    Thresholds(score=score, covered=covered)
    for score in (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
    for covered in (0.4, 0.7)
]
"""What is chosen from, the most lenient first."""
TOLERANCE = 0.001
"""So much less is as good: on images of other kinds scores are lower than on these."""

logger = logging.getLogger("napari_pffnet")


@dataclass(frozen=True, slots=True)
class Validated:
    """An image of ``val/``.

    Attributes
    ----------
    truth
        Its labels.
    found
        All candidates of the model.
    values
        Mean of AJI and PQ with each of `CHOICES`.
    """

    truth: np.ndarray
    found: Instances
    values: list[float]


Sets = dict[str, list[Validated]]
"""The images by the name of their set."""


@cache
def _load(model: Variant | Path) -> Model:
    return model.load() if isinstance(model, Variant) else load_model(model)


def segment_one(model: Variant | Path, path: Path) -> Validated:
    """Segment an image of a set as a user would, with a variant or a checkpoint."""
    file = read_image(path)
    result = segment(file.array, _load(model), axes=file.axes)
    truth = read_labels(path.parents[1] / "labels" / path.name)
    values = [headline(truth, result.instances, choice) for choice in CHOICES]
    return Validated(truth, result.instances, values)


@dataclass(frozen=True, slots=True)
class Validation:
    """The images of ``val/``, and the processes that segment them."""

    data: Path
    pool: ProcessPoolExecutor

    def segment(self, model: Variant | Path, limit: int = 0) -> Sets:
        """Segment all images of each set, or about so many."""
        return {
            name: self._segment(model, self.data / name / "val" / "images", limit)
            for name in SHARES
        }

    def _segment(
        self, model: Variant | Path, folder: Path, limit: int
    ) -> list[Validated]:
        paths = sorted(folder.iterdir())
        chosen = paths[:: max(1, len(paths) // limit) if limit else 1]
        found = self.pool.map(segment_one, repeat(model), chosen)
        name = folder.parents[1].name
        return list(tqdm(found, desc=name, total=len(chosen), leave=False))


def headline(truth: np.ndarray, found: Instances, choice: Thresholds) -> float:
    """Return the mean of AJI and PQ of an image."""
    painted = found.to_labels(score_threshold=choice.score, covered=choice.covered)
    overlap = ev.measure_overlap(truth, painted)
    return (ev.scores.aji(overlap) + ev.scores.panoptic_quality(overlap).pq) / 2


def best_thresholds(sets: Sets) -> tuple[float, Thresholds]:
    """Return the most lenient of the thresholds that suit all sets, and its value."""
    means = [np.mean([i.values for i in images], 0) for images in sets.values()]
    values = np.mean(means, 0)
    chosen = int(np.flatnonzero(values >= values.max() - TOLERANCE)[0])
    for choice, value in zip(CHOICES, values, strict=True):
        logger.info("%s: %.4f", choice, value)
    return float(values[chosen]), CHOICES[chosen]


@dataclass(frozen=True, slots=True)
class Calibration:
    """What is done to the quality's logit so that it says what it means.

    Attributes
    ----------
    slope, offset
        Of the logit itself.
    score
        How much of the logit of the classification score is added.
    """

    slope: float = 1.0
    offset: float = 0.0
    score: float = 0.0

    def logits(self, quality: np.ndarray, score: np.ndarray) -> np.ndarray:
        """Return the logits of calibrated qualities of objects with these scores."""
        own = self.slope * _logit(quality) + self.offset
        return own + self.score * _logit(score)

    def store(self, network: PFFNet) -> None:
        """Put it into the last layer of the quality branch, which is linear."""
        branch = network.mask_branch.quality
        with torch.no_grad():
            branch.fc3.weight.mul_(self.slope)
            branch.fc3.bias.mul_(self.slope).add_(self.offset)
            branch.certainty_weight.mul_(self.slope)
            branch.score_weight.fill_(self.score)


def _logit(values: np.ndarray) -> np.ndarray:
    return logit(np.clip(values.astype(float), 1e-6, 1 - 1e-6))


def calibrate(sets: Sets, thresholds: Thresholds) -> Calibration:
    """Return what brings the qualities of all painted objects nearest to the truth.

    The truth is the mean of Dice and IoU that the branch was trained to predict; the
    sets count alike.
    """
    parts = [_predicted_and_true(images, thresholds) for images in sets.values()]

    def error(parameters: np.ndarray) -> float:
        # The cross entropy, which has one minimum.
        calibrated = Calibration(*parameters)
        told = ((calibrated.logits(q, s), true) for q, s, true in parts)
        return sum(np.mean(np.logaddexp(0, z) - true * z) for z, true in told)

    return Calibration(*minimize(error, [1.0, 0.0, 0.0], method="BFGS").x.tolist())


def _predicted_and_true(
    images: list[Validated], thresholds: Thresholds
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return qualities, scores, and the qualities that would have been true."""
    predicted, scores, true = [], [], []
    for image in images:
        painted = image.found.paint(
            score_threshold=thresholds.score, covered=thresholds.covered
        )
        predicted.append(image.found.qualities[painted.index])
        scores.append(image.found.scores[painted.index])
        true.append(ev.exact_quality(ev.true_iou(image.truth, painted.labels)))
    return tuple(np.concatenate(parts) for parts in (predicted, scores, true))


def report(images: list[Validated], info: CheckpointInfo) -> dict[str, Any]:
    """Return all scores of a set at the thresholds of the model."""
    chosen = info.thresholds
    labels, tables = [], []
    for image in images:
        painted = image.found.paint(
            score_threshold=chosen.score, covered=chosen.covered
        )
        labels.append(painted.labels)
        tables.append(
            image.found.to_table(painted.labels, painted.index, info.model.classes)
        )
    truths = [i.truth for i in images]
    scores = ev.evaluate(truths, labels, tables=tables)
    by_score = [t.assign(confidence=t["score"], quality=t["score"]) for t in tables]
    alone = ev.evaluate(truths, labels, tables=by_score)["quality"]
    found = [i.found for i in images]
    predicted, _, true = _predicted_and_true(images, chosen)
    return {
        **{name: value for name, value in scores.items() if name != "images"},
        "quality_by_score_alone": alone,
        "calibration_error": ev.reliability(predicted, true).calibration_error,
        "voc_ap50": ev.average_precision(truths, found, style="voc", iou=0.5),
        "voc_ap": ev.average_precision(truths, found, style="voc", iou=ev.IOU_RANGE),
    }


def choose(variants: list[Variant], validation: Validation, limit: int) -> Variant:
    """Return the variant that suits some images of each set best."""
    if len(variants) == 1:
        return variants[0]
    values = {}
    for variant in variants:
        values[variant], best = best_thresholds(validation.segment(variant, limit))
        logger.info("%s, %s: %.4f", variant, best, values[variant])
    return max(values, key=values.get)


def with_origin(info: CheckpointInfo) -> CheckpointInfo:
    """Return the description with the texts and data sets of today's recipe.

    Older runs did not copy them into their checkpoints.
    """
    path = ROOT / "recipes" / f"{info.name}.toml"
    if not path.exists():
        return info
    recipe = Recipe.from_file(path)
    data = joined(info.data, recipe.data)
    return info.model_copy(update={"description": recipe.description, "data": data})


def as_table(results: dict[str, dict[str, Any]]) -> str:
    """Return the scores as a Markdown table, one row a set."""
    names = ["aji", "pq", "f1", "dice", "ap50", "ap", "voc_ap50", "voc_ap"]
    rows = ["| set | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for name, scores in results.items():
        values = " | ".join(f"{scores[n]:.3f}" for n in names)
        rows.append(f"| {name} ({scores['n_images']} images) | {values} |")
    return "\n".join(rows)


def main() -> None:
    """Parse the command line and release."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--nms", type=float, nargs="+", default=[0.3, 0.4, 0.5])
    parser.add_argument(
        "--least-diameter", type=float, nargs="+", help="smaller ones are magnified"
    )
    parser.add_argument(
        "--magnified-diameter", type=float, nargs="+", help="what they are magnified to"
    )
    parser.add_argument(
        "--mask-offset", type=float, nargs="+", default=[0.0], help="added to logits"
    )
    parser.add_argument(
        "--certainty", type=float, nargs="+", default=[0.0], help="added to qualities"
    )
    parser.add_argument(
        "--limit",
        type=int,
        default=15,
        help="images a set that choose NMS and least diameter; 0: all",
    )
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--dry-run", action="store_true")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    variants = [
        Variant(options.checkpoint, *values)
        for values in product(
            options.nms,
            options.least_diameter or [None],
            options.magnified_diameter or [None],
            options.mask_offset,
            options.certainty,
        )
    ]
    threads = max(1, torch.get_num_threads() // options.processes)
    with ProcessPoolExecutor(
        options.processes,
        get_context("spawn"),
        initializer=torch.set_num_threads,
        initargs=(threads,),
    ) as pool:
        validation = Validation(options.data, pool)
        variant = choose(variants, validation, options.limit)
        model = calibrated(variant, validation)
        results = measure(model, validation)
    print(as_table(results))
    if not options.dry_run:
        release(model, results)


def calibrated(variant: Variant, validation: Validation) -> Model:
    """Return a variant with the thresholds and the calibration that suit it best."""
    sets = validation.segment(variant)
    thresholds = best_thresholds(sets)[1]
    calibration = calibrate(sets, thresholds)
    logger.info("%s, %s, %s", variant, thresholds, calibration)
    model = variant.load()
    calibration.store(model.network)
    info = with_origin(model.info).model_copy(update={"thresholds": thresholds})
    return replace(model, info=info)


def measure(model: Model, validation: Validation) -> dict[str, dict[str, Any]]:
    """Return the scores by set of a model as it will be stored.

    It segments once more: the estimate of the size weighs objects by their qualities.
    """
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        save_checkpoint(path, model.network, model.info, dtype="float16")
        sets = validation.segment(path)
    return {name: report(images, model.info) for name, images in sets.items()}


def release(model: Model, results: dict[str, dict[str, Any]]) -> None:
    """Write a model into the package, and its scores into the documentation."""
    name = model.info.name
    scores = json.dumps(results, indent=1) + "\n"
    (ROOT / "docs" / "models" / f"{name}.json").write_text(scores, "utf-8")
    package = ROOT / "src" / "napari_pffnet" / "models"
    package.mkdir(exist_ok=True)
    save_checkpoint(
        package / f"{name}.safetensors",
        model.network,
        model.info.model_copy(update={"scores": results}),
        dtype="float16",
    )


if __name__ == "__main__":
    main()
