"""Train a released model on the data sets of its recipe.

``python recipes/train.py recipes/nuclei.toml --data ../shared/data
--out runs/nuclei.safetensors [--resume]``; ``--pack packs/nuclei.npz`` takes the
file that ``recipes/pack.py`` writes in place of ``--data``.  ``--base CHECKPOINT``
starts from its weights wherever they fit the network of the recipe.  ``torchrun
--nproc-per-node 2 recipes/train.py ...`` trains on two GPUs.
"""

from __future__ import annotations

import argparse
import logging
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from napari_pffnet.cli.console import is_first_process
from napari_pffnet.config import Recipe
from napari_pffnet.data.pack import read_pack
from napari_pffnet.data.pairs import load_pairs
from napari_pffnet.data.parts import at_scale, median_diameter
from napari_pffnet.data.prepare import ReadRules
from napari_pffnet.training import TrainStep, ValidationStep, train_iter
from napari_pffnet.weights import Model, load_model

if TYPE_CHECKING:
    from napari_pffnet.data.training_image import TrainingImage

SHARES = {"dsb2018": 0.65, "bbbc039": 0.35}
"""Share of the crops that each set gives, so that neither drowns."""
SMALL, ENLARGED = 26.0, 36.0
"""Images whose objects are smaller in the median, pixels, are enlarged to the other
for most of their crops: they are enlarged, too, when they are segmented."""
NATIVE_SHARE = 0.3
"""Share of their crops that show them as they are: so does a first look."""

logger = logging.getLogger("napari_pffnet")


@dataclass(frozen=True, slots=True)
class Sets:
    """Training and validation images by the name of their set."""

    train: dict[str, list[TrainingImage]]
    validation: dict[str, list[TrainingImage]]


def load_sets(folder: Path, recipe: Recipe) -> Sets:
    """Read ``train`` and ``val`` of each set below ``folder``."""
    rules = ReadRules(model=recipe.model, normalization=recipe.normalization)

    def read(part: str) -> dict[str, list[TrainingImage]]:
        return {name: load_pairs(folder / name / part, rules) for name in SHARES}

    return Sets(read("train"), read("val"))


def unpack_sets(path: Path) -> Sets:
    """Read the same from the file that ``recipes/pack.py`` writes."""
    return Sets(read_pack(path, part="train"), read_pack(path, part="val"))


def weigh(
    images_by_set: dict[str, list[TrainingImage]],
) -> list[tuple[TrainingImage, float]]:
    """Return what crops are cut from, and the chance of each.

    Within a set the chance of an image grows with the root of the number of its
    objects: a crop shows a small part of a large image, and yet an image of few
    objects is not forgotten.
    """
    return [
        (version, SHARES[name] * weight * share)
        for name, images in images_by_set.items()
        for image, weight in zip(images, image_weights(images), strict=True)
        for version, share in versions(image)
    ]


def image_weights(images: list[TrainingImage]) -> list[float]:
    """Return the chance of each image of a set; they add up to 1."""
    weights = [math.sqrt(1 + len(image.class_ids)) for image in images]
    total = sum(weights)
    return [weight / total for weight in weights]


def versions(image: TrainingImage) -> list[tuple[TrainingImage, float]]:
    """Return an image as it is and, of small objects, enlarged; and their shares."""
    diameter = median_diameter(image)
    if diameter is None or diameter >= SMALL:
        return [(image, 1.0)]
    enlarged = at_scale(image, ENLARGED / diameter)
    return [(image, NATIVE_SHARE), (enlarged, 1 - NATIVE_SHARE)]


def load_base(path: str, recipe: Recipe) -> Model:
    """Return the weights of a checkpoint as those of a network of the recipe."""
    base = load_model(path, device="cpu")
    own = {"model": recipe.model, "normalization": recipe.normalization}
    return replace(base, info=base.info.model_copy(update=own))


def run(
    recipe: Recipe,
    sets: Sets,
    out: Path,
    *,
    base: Model | None,
    resume: bool,
    device: str,
) -> None:
    """Train, with a bar of progress and the scores of each validation."""
    images, weights = zip(*weigh(sets.train), strict=True)
    steps = train_iter(
        images,
        sets.validation,
        recipe=recipe,
        out=out,
        base=base,
        image_weights=weights,
        resume=resume,
        device=device,
    )
    total, is_first = recipe.train.iterations, is_first_process()
    with tqdm(total=total, mininterval=30, disable=not is_first) as bar:
        for step in steps:
            if isinstance(step, TrainStep):
                bar.update(step.step - bar.n)
                bar.set_postfix(loss=f"{step.total:.3f}", refresh=False)
            elif isinstance(step, ValidationStep) and is_first:
                logger.info("step %d: %s", step.step, dict(step.scores))


def main() -> None:
    """Parse the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--data", type=Path, help="folder of the data sets")
    source.add_argument("--pack", type=Path, help="file written by recipes/pack.py")
    parser.add_argument("--base", help="model or checkpoint to start from")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    recipe = Recipe.from_file(options.recipe)
    pack = options.pack
    sets = load_sets(options.data, recipe) if pack is None else unpack_sets(pack)
    base = load_base(options.base, recipe) if options.base else None
    run(
        recipe,
        sets,
        options.out,
        base=base,
        resume=options.resume,
        device=options.device,
    )


if __name__ == "__main__":
    main()
