"""Choose the thresholds of a trained model on ``val/``, score it, and release it.

    python recipes/release.py runs/nuclei.safetensors --data ../shared/data

writes the float16 checkpoint into the package and the scores as JSON beside the
model's card in ``docs/models``; with ``--dry-run`` it only prints them.
"""

from __future__ import annotations

import argparse
import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm
from train import SHARES

from napari_pffnet import evaluation as ev
from napari_pffnet.build import build_network
from napari_pffnet.config import DENSE, CheckpointInfo, Thresholds
from napari_pffnet.data.readers import read_image, read_labels
from napari_pffnet.segmentation import segment
from napari_pffnet.weights import Model, load_model, save_checkpoint

if TYPE_CHECKING:
    from napari_pffnet.instances import Instances

ROOT = Path(__file__).parents[1]
SCORES = tuple(np.arange(0.2, 0.85, 0.05).round(2).tolist())

logger = logging.getLogger("napari_pffnet")


@dataclass(frozen=True, slots=True)
class Validated:
    """An image of ``val/``: the truth, and all candidates of the model."""

    truth: np.ndarray
    found: Instances


def with_nms(model: Model, nms_iou: float) -> Model:
    """Return the same weights with another box NMS and room for dense images."""
    changes = {"nms_iou": nms_iou, **DENSE}
    config = model.info.model.model_copy(update=changes)
    network = build_network(config)
    network.load_state_dict(model.network.state_dict())
    info = model.info.model_copy(update={"model": config})
    return Model(network.eval().to(model.device), info, model.device)


def segment_set(model: Model, folder: Path, limit: int) -> list[Validated]:
    """Segment the images of one set as a user would."""
    paths = sorted((folder / "images").iterdir())
    every = max(1, len(paths) // limit) if limit else 1
    results = []
    for path in tqdm(paths[::every], desc=folder.parent.name, leave=False):
        file = read_image(path)
        result = segment(file.array, model, axes=file.axes)
        results.append(
            Validated(read_labels(folder / "labels" / path.name), result.instances)
        )
    return results


def headline(images: list[Validated], thresholds: Thresholds) -> float:
    """Return the mean of AJI and PQ over a set."""
    scores = [
        (ev.aji(i.truth, labels) + ev.panoptic_quality(i.truth, labels).pq) / 2
        for i in images
        for labels in (paint(i, thresholds),)
    ]
    return float(np.mean(scores))


def paint(image: Validated, thresholds: Thresholds) -> np.ndarray:
    """Return the label image of the candidates."""
    return image.found.to_labels(
        score_threshold=thresholds.score, covered=thresholds.covered
    )


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
        "voc_ap50": ev.average_precision(truths, found, style="voc", iou=0.5),
        "voc_ap": ev.average_precision(truths, found, style="voc", iou=ev.IOU_RANGE),
    }


def choose(model: Model, data: Path, nms: list[float], limit: int) -> tuple[Model, Any]:
    """Return the model with the best thresholds, and its candidates by set."""
    best: tuple[float, Model, Any] | None = None
    for nms_iou in nms:
        candidate = with_nms(model, nms_iou)
        sets = {n: segment_set(candidate, data / n / "val", limit) for n in SHARES}
        for score in SCORES:
            thresholds = Thresholds(score=score)
            value = float(np.mean([headline(s, thresholds) for s in sets.values()]))
            logger.info("nms %.2f, score %.2f: %.4f", nms_iou, score, value)
            if best is None or value > best[0]:
                info = candidate.info.model_copy(update={"thresholds": thresholds})
                best = (value, Model(candidate.network, info, model.device), sets)
    if best is None:
        raise SystemExit("Give at least one value to --nms.")
    return best[1], best[2]


def main() -> None:
    """Parse the command line and release."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--nms", type=float, nargs="+", default=[0.3, 0.4, 0.5])
    parser.add_argument("--limit", type=int, default=0, help="images a set; 0: all")
    parser.add_argument("--dry-run", action="store_true")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    model, sets = choose(
        load_model(options.checkpoint), options.data, options.nms, options.limit
    )
    results = {name: report(images, model.info) for name, images in sets.items()}
    text = json.dumps(results, indent=1)
    print(text)
    print(model.info.thresholds, "nms", model.info.model.nms_iou)
    if options.dry_run:
        return
    name = model.info.name
    (ROOT / "docs" / "models" / f"{name}.json").write_text(text + "\n", "utf-8")
    package = ROOT / "src" / "napari_pffnet" / "models"
    package.mkdir(exist_ok=True)
    save_checkpoint(
        package / f"{name}.safetensors", model.network, model.info, dtype="float16"
    )


if __name__ == "__main__":
    main()
