"""From what the user names to training and validation images."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeGuard

import numpy as np
from numpy.typing import NDArray

from napari_pffnet.config import CheckpointInfo, DataConfig, Recipe
from napari_pffnet.data.pack import read_pack
from napari_pffnet.data.pairs import from_arrays, load_pairs
from napari_pffnet.data.parts import (
    at_scale,
    busiest_part,
    known_part,
    median_diameter,
)
from napari_pffnet.data.prepare import ReadRules
from napari_pffnet.data.split import split_validation
from napari_pffnet.data.training_image import TrainingImage
from napari_pffnet.segmentation.diameter import choose_scale

logger = logging.getLogger("napari_pffnet")

Pair = tuple[NDArray[np.generic], NDArray[np.generic]]
ImageSource = str | os.PathLike[str] | Sequence[TrainingImage] | Sequence[Pair]
"""A folder, a COCO file (``.json``), a pack (``.npz``), training images, or pairs."""


CONTEXT = 64
"""So many pixels around the known part of an image are seen, though not learnt."""
NOT_SET_ASIDE = (
    "There are too few objects to set some aside; the validation scores are those of "
    "the images that are trained on."
)


@dataclass(frozen=True, slots=True)
class TrainingData:
    """What a run trains on, and what it validates on by the name of the set.

    Attributes
    ----------
    train, validation
        The images.
    notes
        Sentences for the user.
    """

    train: tuple[TrainingImage, ...]
    validation: dict[str, tuple[TrainingImage, ...]]
    notes: tuple[str, ...] = ()

    @property
    def is_held_out(self) -> bool:
        """Whether nothing that is validated on is trained on."""
        return NOT_SET_ASIDE not in self.notes


def load_training_data(
    train: ImageSource,
    val: ImageSource | None = None,
    *,
    recipe: Recipe,
    config: DataConfig | None = None,
    base: CheckpointInfo | None = None,
) -> TrainingData:
    """Read the images to train and to validate on.

    Parameters
    ----------
    train
        A folder with ``images/`` and ``labels/``, a COCO annotation file, a pack of
        ``recipes/pack.py``, pairs of image and label arrays, or training images.
    val
        The same to validate on; default: the ``val`` part of a pack, else 10 % of
        the images, at least one; of a single image, a quarter of it.
    recipe
        Its model and normalisation say how images are read.
    config
        Axes, channels and treatment of binary masks.
    base
        Model to fine-tune: images whose objects have sizes that it has never seen
        are shown to it at the scale at which it would segment them.

    Raises
    ------
    ValueError
        If an image cannot be used, or there is none.
    """
    rules = ReadRules(config or DataConfig(), recipe.model, recipe.normalization)
    if val is not None:
        data = TrainingData(
            tuple(_read(train, rules)), {"val": tuple(_read(val, rules, part="val"))}
        )
    elif _is_pack(train):
        data = TrainingData(
            tuple(_read(train, rules)),
            {name: tuple(i) for name, i in read_pack(train, part="val").items()},
        )
    else:
        return hold_out(_read(train, rules), recipe=recipe, base=base)
    return _fit(data, recipe, base)


def hold_out(
    images: Sequence[TrainingImage],
    *,
    recipe: Recipe,
    base: CheckpointInfo | None = None,
) -> TrainingData:
    """Set some of the images, or a part of a single one, aside for validation.

    Parameters
    ----------
    images
        All images; with too few objects to set some aside, the same are validated.
    recipe, base
        As in `load_training_data`.
    """
    images = [known_part(image, margin=CONTEXT) for image in images]
    split = split_validation(images, seed=recipe.train.seed)
    if _has_objects(split.train) and _has_objects(split.validation):
        data = TrainingData(split.train, {"val": split.validation})
    else:
        logger.warning(NOT_SET_ASIDE)
        data = TrainingData(tuple(images), {"val": tuple(images)}, (NOT_SET_ASIDE,))
    return _fit(data, recipe, base)


def _fit(
    data: TrainingData, recipe: Recipe, base: CheckpointInfo | None
) -> TrainingData:
    """Leave what is worth looking at, at the scale at which it is looked at."""
    sizes = [median_diameter(image) for image in data.train]
    found = [size for size in sizes if size is not None]
    common = float(np.median(found)) if found and base is not None else None

    def fit(image: TrainingImage) -> TrainingImage:
        part = known_part(image, margin=CONTEXT)
        if base is None or common is None:
            return part
        size = median_diameter(part) or common
        return at_scale(part, choose_scale(size, base))

    def fit_validation(image: TrainingImage) -> TrainingImage:
        side = recipe.train.validation_size
        return busiest_part(fit(image), side=side) if side else fit(image)

    return replace(
        data,
        train=tuple(fit(image) for image in data.train),
        validation={
            name: tuple(fit_validation(image) for image in images)
            for name, images in data.validation.items()
        },
    )


def _has_objects(images: Sequence[TrainingImage]) -> bool:
    return any(len(image.class_ids) for image in images)


def _is_pack(source: ImageSource) -> TypeGuard[str | os.PathLike[str]]:
    return isinstance(source, str | os.PathLike) and Path(source).suffix == ".npz"


def _read(
    source: ImageSource, rules: ReadRules, *, part: str = "train"
) -> list[TrainingImage]:
    """Read one source; of a pack, the sets of one part."""
    if isinstance(source, str | os.PathLike):
        if not _is_pack(source):
            return load_pairs(source, rules)
        return [i for images in read_pack(source, part=part).values() for i in images]
    images = [item for item in source if isinstance(item, TrainingImage)]
    if len(images) == len(source):
        return images
    pairs = [item for item in source if not isinstance(item, TrainingImage)]
    if len(pairs) != len(source):
        raise ValueError(
            "Training images and pairs of arrays are mixed; give only one kind."
        )
    return from_arrays([p[0] for p in pairs], [p[1] for p in pairs], rules=rules)
