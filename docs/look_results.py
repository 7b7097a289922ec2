"""Segment the validation images once and keep the results: for ``look.py``."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

import napari_pffnet as pff
from napari_pffnet import evaluation as ev
from napari_pffnet.data.readers import read_image, read_labels
from napari_pffnet.evaluation.errors import FOUND_KINDS, TRUE_KINDS

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_pffnet.data.readers import ImageFile


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """The true or the found objects of an image.

    Attributes
    ----------
    labels
        (Y, X) label image.
    ids, kinds
        (N,) its labels, rising, and what became of each.
    choices
        All kinds that there are.
    """

    labels: NDArray[np.integer]
    ids: NDArray[np.integer]
    kinds: NDArray[np.str_]
    choices: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What a model found in an image.

    Attributes
    ----------
    labels
        (Y, X), ids 1..M.
    scores, qualities
        (M,) one value an object.
    """

    labels: NDArray[np.int32]
    scores: NDArray[np.float64]
    qualities: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Looked:
    """An image of ``val/``, the truth and what the model made of it.

    Attributes
    ----------
    name
        Stem of the files.
    image
        (Y, X) or (Y, X, C), as stored.
    truth, found
        (Y, X) label images; ids of ``found`` are 1..M.
    scores, qualities
        (M,) of the found objects.
    aji, pq
        The scores of the image.
    kinds
        What became of its objects.
    """

    name: str
    image: NDArray[np.generic]
    truth: NDArray[np.integer]
    found: NDArray[np.int32]
    scores: NDArray[np.float64]
    qualities: NDArray[np.float64]
    aji: float
    pq: float
    kinds: ev.ErrorKinds

    @property
    def mean(self) -> float:
        """Mean of AJI and PQ: what the images are ordered by."""
        return (self.aji + self.pq) / 2

    @property
    def true_side(self) -> Side:
        """The true objects."""
        kinds = self.kinds
        return Side(self.truth, kinds.true_ids, kinds.true_kinds, TRUE_KINDS)

    @property
    def found_side(self) -> Side:
        """The predicted objects."""
        kinds = self.kinds
        return Side(self.found, kinds.found_ids, kinds.found_kinds, FOUND_KINDS)

    @property
    def true_diameters(self) -> NDArray[np.float64]:
        """(N,) diameters of discs of the true objects' areas, pixels."""
        areas = np.bincount(self.truth.ravel())[self.kinds.true_ids]
        return np.sqrt(4 * areas / np.pi)


def look_at_set(
    folder: Path, model: pff.Model, results: Path, limit: int
) -> list[Looked]:
    """Return the images of ``folder``, segmented now or read from ``results``.

    Parameters
    ----------
    folder
        Holds ``images`` and ``labels`` with equal stems.
    model
        Segments with all options at their defaults.
    results
        One npz an image; what is there of the same model is not computed again.
    limit
        Take so many images, spread over the set; 0: all.
    """
    paths = sorted((folder / "images").iterdir())
    every = max(1, len(paths) // limit) if limit else 1
    chosen = paths[::every][: limit or None]
    images = []
    for path in tqdm(chosen, desc=folder.parent.name, leave=False):
        file = read_image(path)
        truth = read_labels(folder / "labels" / path.name)
        found = _found(file, model, results / f"{path.stem}.npz")
        images.append(compared(path.stem, file.array, truth, found))
    return images


def fingerprint(model: pff.Model) -> str:
    """Return a hash of the weights and of the settings that a result depends on."""
    sizes = {
        "diameter",
        "diameter_range",
        "least_diameter",
        "magnified_diameter",
        "tile_size",
    }
    kept = {"model", "normalization", "thresholds"} | sizes
    # Without defaults, so that an option of tomorrow leaves old results valid.
    settings = model.info.model_dump_json(include=kept, exclude_defaults=True)
    return hashlib.sha256((model.sha256 + settings).encode()).hexdigest()


def compared(
    name: str,
    image: NDArray[np.generic],
    truth: NDArray[np.integer],
    found: Found,
) -> Looked:
    """Compare what was found in an image with the truth."""
    return Looked(
        name=name,
        image=image,
        truth=truth,
        found=found.labels,
        scores=found.scores,
        qualities=found.qualities,
        aji=ev.aji(truth, found.labels),
        pq=ev.panoptic_quality(truth, found.labels).pq,
        kinds=ev.error_kinds(truth, found.labels),
    )


def _found(file: ImageFile, model: pff.Model, path: Path) -> Found:
    """Read what the model found in an image, or let it look and keep it."""
    mark = fingerprint(model)
    if path.exists():
        with np.load(path) as kept:
            if str(kept["model"]) == mark:
                return Found(kept["labels"], kept["scores"], kept["qualities"])
    result = pff.segment(file.array, model, axes=file.axes)
    table = result.objects
    found = Found(
        labels=result.labels,
        scores=table["score"].to_numpy(float),
        qualities=table["quality"].to_numpy(float),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        path,
        labels=found.labels,
        scores=found.scores,
        qualities=found.qualities,
        model=np.array(mark),
    )
    return found
