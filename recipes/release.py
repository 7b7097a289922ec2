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
from napari_pffnet.config import DENSE, CheckpointInfo, Recipe, Thresholds
from napari_pffnet.data.readers import read_image, read_labels
from napari_pffnet.provenance import joined
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


def paint(image: Validated, thresholds: Thresholds) -> np.ndarray:
    """Return the label image of the candidates."""
    return image.found.to_labels(
        score_threshold=thresholds.score, covered=thresholds.covered
    )


def headline(images: list[Validated], thresholds: Thresholds) -> float:
    """Return the mean of AJI and PQ over a set."""
    painted = [(i.truth, paint(i, thresholds)) for i in images]
    return float(
        np.mean([(ev.aji(*p) + ev.panoptic_quality(*p).pq) / 2 for p in painted])
    )


def best_score(sets: dict[str, list[Validated]]) -> tuple[float, Thresholds]:
    """Return the score threshold that suits all sets best, and what it gives."""
    choices = [Thresholds(score=score) for score in SCORES]
    values = [
        float(np.mean([headline(images, c) for images in sets.values()]))
        for c in choices
    ]
    best = int(np.argmax(values))
    return values[best], choices[best]


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


def choose_nms(model: Model, data: Path, choices: list[float], limit: int) -> Model:
    """Return the model with the box NMS that suits some images of each set best."""
    values = {}
    for nms_iou in choices if len(choices) > 1 else ():
        candidate = with_nms(model, nms_iou)
        values[nms_iou], _ = best_score(segment_sets(candidate, data, limit))
        logger.info("nms %.2f: %.4f", nms_iou, values[nms_iou])
    return with_nms(model, max(values or choices, key=values.get))


def segment_sets(model: Model, data: Path, limit: int) -> dict[str, list[Validated]]:
    """Segment ``val/`` of every set."""
    return {name: segment_set(model, data / name / "val", limit) for name in SHARES}


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
        "--limit", type=int, default=15, help="images a set that choose the NMS; 0: all"
    )
    parser.add_argument("--dry-run", action="store_true")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    model = choose_nms(
        load_model(options.checkpoint), options.data, options.nms, options.limit
    )
    sets = segment_sets(model, options.data, 0)
    chosen = {"thresholds": best_score(sets)[1]}
    info = with_origin(model.info).model_copy(update=chosen)
    results = {name: report(images, info) for name, images in sets.items()}
    info = info.model_copy(update={"scores": results})
    text = json.dumps(results, indent=1)
    print(text)
    print(as_table(results))
    print(info.thresholds, "nms", info.model.nms_iou)
    if options.dry_run:
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
