"""Folders of ``images/`` + ``labels/`` (+ ``ignore/``) as training images."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_pffnet.config import NormalizationConfig
from napari_pffnet.data.normalize import normalize
from napari_pffnet.data.readers import IMAGE_SUFFIXES, read_image, read_labels


@dataclass(frozen=True, slots=True)
class TrainingImage:
    """An image, normalised, and the truth about it.

    Attributes
    ----------
    image
        (Y, X, C), float32 in [0, 1] or uint8 in 0..255; C is what the network
        takes.
    labels
        (Y, X) int32; 0 is background, objects are 1..N without gaps.
    ignore
        (Y, X) bool, pixels of which nothing is known; None: none.
    class_ids
        (N,) int64 in 1..C, entry ``i`` for label ``i + 1``.
    name
        For messages and reports.
    """

    image: NDArray[np.uint8] | NDArray[np.float32]
    labels: NDArray[np.int32]
    ignore: NDArray[np.bool_] | None
    class_ids: NDArray[np.int64]
    name: str


def load_pairs(
    folder: str | PathLike[str],
    *,
    normalization: NormalizationConfig | None = None,
    channels: int = 3,
) -> list[TrainingImage]:
    """Read a folder of ``images/`` and ``labels/`` with equal stems."""
    folder = Path(folder)
    labels_by_stem = {p.stem: p for p in sorted((folder / "labels").iterdir())}
    return [
        _load_pair(path, labels_by_stem[path.stem], normalization, channels)
        for path in sorted((folder / "images").iterdir())
        if path.suffix.lower() in IMAGE_SUFFIXES
    ]


def _load_pair(
    path: Path,
    labels_path: Path,
    normalization: NormalizationConfig | None,
    channels: int,
) -> TrainingImage:
    array = np.atleast_3d(read_image(path).array)[..., :3]
    unit = normalize(array, normalization, rgb=array.shape[-1] == 3)
    image = np.round(unit * 255).astype(np.uint8)
    if image.shape[-1] != channels:
        # A view: the grey values are stored once.
        image = np.broadcast_to(image[..., :1], (*image.shape[:2], channels))
    ids, dense = np.unique(read_labels(labels_path), return_inverse=True)
    count = len(ids) - (ids[0] == 0)
    labels = dense.reshape(image.shape[:2]).astype(np.int32) + (ids[0] != 0)
    return TrainingImage(image, labels, None, np.ones(count, np.int64), path.stem)
