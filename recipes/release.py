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
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy.optimize import minimize
from scipy.special import expit, logit
from tqdm import tqdm
from train import SHARES

from napari_pffnet import evaluation as ev
from napari_pffnet.build import build_network
from napari_pffnet.config import DENSE, CheckpointInfo, Recipe, Thresholds
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
    for score in (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
    for covered in (0.4, 0.7)
]
"""What is chosen from, the most lenient first."""
TOLERANCE = 0.003
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


@dataclass(frozen=True, slots=True)
class Variant:
    """A checkpoint with another box NMS and room for dense images.

    Attributes
    ----------
    checkpoint
        Path of the weights.
    nms_iou
        Box NMS among detections.
    least_diameter
        Smaller objects are magnified, pixels; None: as the checkpoint says.
    """

    checkpoint: Path
    nms_iou: float
    least_diameter: float | None

    def load(self) -> Model:
        """Return the model."""
        model = load_model(self.checkpoint)
        changes = {"nms_iou": self.nms_iou, **DENSE}
        config = model.info.model.model_copy(update=changes)
        network = build_network(config)
        network.load_state_dict(model.network.state_dict())
        low, high = model.info.diameter_range
        sizes = (self.least_diameter or low, high)
        info = model.info.model_copy(update={"model": config, "diameter_range": sizes})
        # As the released file stores them.
        network.half().float()
        return Model(network.eval().to(model.device), info, model.device)


_load_once = cache(Variant.load)


def segment_one(variant: Variant, path: Path) -> Validated:
    """Segment an image of a set as a user would."""
    file = read_image(path)
    result = segment(file.array, _load_once(variant), axes=file.axes)
    truth = read_labels(path.parents[1] / "labels" / path.name)
    values = [headline(truth, result.instances, choice) for choice in CHOICES]
    return Validated(truth, result.instances, values)


@dataclass(frozen=True, slots=True)
class Validation:
    """The images of ``val/``, and the processes that segment them."""

    data: Path
    pool: ProcessPoolExecutor

    def segment(self, variant: Variant, limit: int = 0) -> Sets:
        """Segment all images of each set, or about so many."""
        return {
            name: self._segment(variant, self.data / name / "val" / "images", limit)
            for name in SHARES
        }

    def _segment(self, variant: Variant, folder: Path, limit: int) -> list[Validated]:
        paths = sorted(folder.iterdir())
        chosen = paths[:: max(1, len(paths) // limit) if limit else 1]
        found = self.pool.map(segment_one, repeat(variant), chosen)
        name = folder.parents[1].name
        return list(tqdm(found, desc=name, total=len(chosen), leave=False))


def headline(truth: np.ndarray, found: Instances, choice: Thresholds) -> float:
    """Return the mean of AJI and PQ of an image."""
    painted = found.to_labels(score_threshold=choice.score, covered=choice.covered)
    return (ev.aji(truth, painted) + ev.panoptic_quality(truth, painted).pq) / 2


def best_thresholds(sets: Sets) -> tuple[float, Thresholds]:
    """Return the most lenient of the thresholds that suit all sets, and its value."""
    means = [np.mean([i.values for i in images], 0) for images in sets.values()]
    values = np.mean(means, 0)
    chosen = int(np.flatnonzero(values >= values.max() - TOLERANCE)[0])
    return float(values[chosen]), CHOICES[chosen]


@dataclass(frozen=True, slots=True)
class Calibration:
    """Slope and offset of the quality's logit that make it say what it means."""

    slope: float = 1.0
    offset: float = 0.0

    def __call__(self, quality: np.ndarray) -> np.ndarray:
        """Return calibrated qualities."""
        inside = np.clip(quality, 1e-6, 1 - 1e-6)
        return expit(self.slope * logit(inside) + self.offset)

    def store(self, network: PFFNet) -> None:
        """Put it into the last layer of the quality branch, which is linear."""
        last = network.mask_branch.quality.fc3
        with torch.no_grad():
            last.weight.mul_(self.slope)
            last.bias.mul_(self.slope).add_(self.offset)

    def apply(self, sets: Sets) -> Sets:
        """Return the images with calibrated candidates."""
        return {
            name: [
                replace(
                    image,
                    found=replace(image.found, qualities=self(image.found.qualities)),
                )
                for image in images
            ]
            for name, images in sets.items()
        }


def calibrate(sets: Sets, thresholds: Thresholds) -> Calibration:
    """Return what brings the qualities of all painted objects nearest to the truth.

    The truth is the mean of Dice and IoU that the branch was trained to predict; the
    sets count alike.
    """
    parts = [_predicted_and_true(images, thresholds) for images in sets.values()]

    def error(parameters: np.ndarray) -> float:
        calibrated = Calibration(*parameters)
        return sum(np.mean((calibrated(x) - y) ** 2) for x, y in parts)

    return Calibration(*minimize(error, [1.0, 0.0], method="Nelder-Mead").x.tolist())


def _predicted_and_true(
    images: list[Validated], thresholds: Thresholds
) -> tuple[np.ndarray, np.ndarray]:
    predicted, true = [], []
    for image in images:
        painted = image.found.paint(
            score_threshold=thresholds.score, covered=thresholds.covered
        )
        predicted.append(image.found.qualities[painted.index])
        true.append(ev.exact_quality(ev.true_iou(image.truth, painted.labels)))
    return np.concatenate(predicted).astype(float), np.concatenate(true)


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
    return {
        **{name: value for name, value in scores.items() if name != "images"},
        "quality_by_score_alone": alone,
        "calibration_error": ev.reliability(
            *_predicted_and_true(images, chosen)
        ).calibration_error,
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
        Variant(options.checkpoint, nms_iou, least)
        for nms_iou in options.nms
        for least in options.least_diameter or [None]
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
        sets = validation.segment(variant)
    release(variant.load(), sets, dry_run=options.dry_run)


def release(model: Model, sets: Sets, *, dry_run: bool) -> None:
    """Choose the thresholds, print the scores, and write the model with them."""
    thresholds = best_thresholds(sets)[1]
    calibration = calibrate(sets, thresholds)
    calibration.store(model.network)
    sets = calibration.apply(sets)
    info = with_origin(model.info).model_copy(update={"thresholds": thresholds})
    results = {name: report(images, info) for name, images in sets.items()}
    info = info.model_copy(update={"scores": results})
    text = json.dumps(results, indent=1)
    print(text)
    print(as_table(results))
    print(info.thresholds, "nms", info.model.nms_iou, calibration)
    if dry_run:
        return
    name = info.name
    (ROOT / "docs" / "models" / f"{name}.json").write_text(text + "\n", "utf-8")
    package = ROOT / "src" / "napari_pffnet" / "models"
    package.mkdir(exist_ok=True)
    save_checkpoint(
        package / f"{name}.safetensors", model.network, info, dtype="float16"
    )


if __name__ == "__main__":
    main()
