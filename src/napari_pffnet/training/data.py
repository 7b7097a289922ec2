"""From what the user names to training and validation images."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_pffnet.config import DataConfig, Recipe
from napari_pffnet.data.pack import read_pack
from napari_pffnet.data.pairs import from_arrays, load_pairs
from napari_pffnet.data.prepare import ReadRules
from napari_pffnet.data.training_image import TrainingImage, keep_objects

logger = logging.getLogger("napari_pffnet")

VALIDATION_SHARE = 0.1
STRIP_SHARE = 0.25
"""Of a single image, this share of its longer side is validated on."""
SMALLEST_STRIP = 64

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
            tuple(_read(train, rules)), {"val": tuple(_read(train, rules, part="val"))}
        )
    return hold_out(_read(train, rules), seed=recipe.train.seed)


def hold_out(images: Sequence[TrainingImage], *, seed: int) -> TrainingData:
    """Set some images aside for validation, the same ones for the same seed."""
    if not images:
        raise ValueError("There is no training image; give at least one.")
    if len(images) == 1:
        return _hold_out_strip(images[0])
    order = np.random.default_rng(seed).permutation(len(images))
    count = max(1, round(VALIDATION_SHARE * len(images)))
    chosen = set(order[:count].tolist())
    return TrainingData(
        tuple(image for i, image in enumerate(images) if i not in chosen),
        {"val": tuple(images[i] for i in sorted(chosen))},
    )


def _hold_out_strip(image: TrainingImage) -> TrainingData:
    """Cut a strip off the longer side; objects on the cut go to neither part."""
    shape = image.labels.shape
    axis = int(np.argmax(shape))
    cut = shape[axis] - max(round(STRIP_SHARE * shape[axis]), SMALLEST_STRIP)
    parts = _split(image, axis, cut) if cut >= SMALLEST_STRIP else None
    if parts is None or not all(part.labels.any() for part in parts):
        logger.warning(
            "The single image is too small or too sparse to set a part of it aside; "
            "the scores are those of the image that is trained on."
        )
        return TrainingData((image,), {"val": (image,)})
    return TrainingData((parts[0],), {"val": (parts[1],)})


def _split(
    image: TrainingImage, axis: int, cut: int
) -> tuple[TrainingImage, TrainingImage]:
    """Split an image in two; each part keeps the objects that it shows whole."""
    before, after = slice(0, cut), slice(cut, None)
    every = slice(None)
    windows = [(s, every) if axis == 0 else (every, s) for s in (before, after)]
    first, second = (image.labels[window] for window in windows)
    split_ids = np.intersect1d(first, second)
    return (
        _part(image, windows[0], split_ids),
        _part(image, windows[1], split_ids),
    )


def _part(
    image: TrainingImage, window: tuple[slice, slice], split_ids: NDArray[np.int32]
) -> TrainingImage:
    """Cut out a window, ignoring the objects that lie in it in part only."""
    labels = image.labels[window]
    present = np.bincount(labels.ravel(), minlength=len(image.class_ids) + 1) > 0
    kept = present[1:].copy()
    kept[split_ids[split_ids > 0] - 1] = False
    ignore = None if image.ignore is None else image.ignore[window]
    part = replace(image, image=image.image[window], labels=labels, ignore=ignore)
    return keep_objects(part, kept)


def _is_pack(source: ImageSource) -> bool:
    return isinstance(source, str | os.PathLike) and Path(source).suffix == ".npz"


def _read(
    source: ImageSource, rules: ReadRules, *, part: str = "train"
) -> list[TrainingImage]:
    """Read one source; of a pack, the sets of one part."""
    if isinstance(source, str | os.PathLike):
        if not _is_pack(source):
            return load_pairs(source, rules)
        sets = read_pack(source)
        return [i for n, s in sets.items() if n.endswith(f"/{part}") for i in s]
    images = [item for item in source if isinstance(item, TrainingImage)]
    if len(images) == len(source):
        return images
    pairs = [item for item in source if not isinstance(item, TrainingImage)]
    if len(pairs) != len(source):
        raise ValueError(
            "Training images and pairs of arrays are mixed; give only one kind."
        )
    return from_arrays([p[0] for p in pairs], [p[1] for p in pairs], rules=rules)
