"""From what the user names to training and validation images."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

import numpy as np
from numpy.typing import NDArray

from napari_pffnet.config import DataConfig, Recipe
from napari_pffnet.data.pack import read_pack
from napari_pffnet.data.pairs import from_arrays, load_pairs
from napari_pffnet.data.prepare import ReadRules
from napari_pffnet.data.split import split_validation
from napari_pffnet.data.training_image import TrainingImage

logger = logging.getLogger("napari_pffnet")

Pair = tuple[NDArray[np.generic], NDArray[np.generic]]
ImageSource = str | os.PathLike[str] | Sequence[TrainingImage] | Sequence[Pair]
"""A folder, a pack (``.npz``), training images, or pairs of image and labels."""


@dataclass(frozen=True, slots=True)
class TrainingData:
    """What a run trains on, and what it validates on by the name of the set."""

    train: tuple[TrainingImage, ...]
    validation: dict[str, tuple[TrainingImage, ...]]


def load_training_data(
    train: ImageSource,
    val: ImageSource | None = None,
    *,
    recipe: Recipe,
    config: DataConfig | None = None,
) -> TrainingData:
    """Read the images to train and to validate on.

    Parameters
    ----------
    train
        A folder with ``images/`` and ``labels/``, a pack of ``recipes/pack.py``,
        pairs of image and label arrays, or training images.
    val
        The same to validate on; default: the ``val`` part of a pack, else 10 % of
        the images, at least one; of a single image, a quarter of it.
    recipe
        Its model and normalisation say how images are read.
    config
        Axes, channels and treatment of binary masks.

    Raises
    ------
    ValueError
        If an image cannot be used, or there is none.
    """
    rules = ReadRules(config or DataConfig(), recipe.model, recipe.normalization)
    if val is not None:
        scored = tuple(_read(val, rules, part="val"))
        return TrainingData(tuple(_read(train, rules)), {"val": scored})
    if _is_pack(train):
        return TrainingData(
            tuple(_read(train, rules)),
            {name: tuple(i) for name, i in read_pack(train, part="val").items()},
        )
    return _hold_out(_read(train, rules), recipe.train.seed)


def _hold_out(images: Sequence[TrainingImage], seed: int) -> TrainingData:
    """Set some of the images, or a part of a single one, aside for validation."""
    split = split_validation(images, seed=seed)
    if _has_objects(split.train) and _has_objects(split.validation):
        return TrainingData(split.train, {"val": split.validation})
    logger.warning(
        "There are too few objects to set some aside; the validation scores are "
        "those of the images that are trained on."
    )
    return TrainingData(tuple(images), {"val": tuple(images)})


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
