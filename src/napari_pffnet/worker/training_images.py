"""From the pairs of layers of a request to training images, and back to a picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_pffnet.data.checks import Problem
from napari_pffnet.data.pairs import load_pairs
from napari_pffnet.data.parts import busiest_window
from napari_pffnet.data.prepare import ReadRules, check_pair
from napari_pffnet.data.readers import ImageFile
from napari_pffnet.messages import ArrayFile
from napari_pffnet.worker.arrays import read_array

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_pffnet.config import Recipe
    from napari_pffnet.data.classes import Classes
    from napari_pffnet.data.prepare import Checked
    from napari_pffnet.data.training_image import TrainingImage
    from napari_pffnet.messages import TrainingPair, TrainRequest

PREVIEW_SIDE = 256
"""The window shows a square of at most so many pixels,"""
PREVIEW_LEAST = 160
"""and of at least so many, where the image has them."""


@dataclass(frozen=True, slots=True)
class ReadImages:
    """What there is to learn from, and what was chosen on the way there."""

    images: tuple[TrainingImage, ...]
    notes: tuple[str, ...]


def read_images(request: TrainRequest, recipe: Recipe) -> ReadImages:
    """Read the pairs and the folder of a request.

    Parameters
    ----------
    request
        Its folder follows ``request.data``; pairs name their axes themselves.
    recipe
        Its model and normalisation say how images are read.

    Raises
    ------
    ValueError
        If there is no image, or one cannot be used.
    """
    rules = ReadRules(request.data, recipe.model, recipe.normalization)
    checked = [_read_pair(pair, rules) for pair in request.pairs]
    findings = [finding for one in checked for finding in one.findings]
    for finding in findings:
        if finding.severity == "error":
            raise ValueError(str(finding))
    images = [image for one in checked for image in one.images]
    if request.folder is not None:
        images += load_pairs(request.folder, rules)
    images = [image for image in images if _is_known(image)]
    if not images:
        raise ValueError(
            "There is nothing to learn from: no pair of image and labels was chosen, "
            "or none of their objects has been reviewed."
        )
    notes = {str(f): None for f in findings if f.problem is Problem.CHANNEL}
    return ReadImages(tuple(images), tuple(notes))


def preview_window(image: TrainingImage) -> tuple[slice, slice]:
    """Return rows and columns of the part of an image that the window shows.

    It is the one with the most objects.
    """
    # Of a long strip a square: it is shown larger.
    side = min(max(PREVIEW_LEAST, min(image.labels.shape)), PREVIEW_SIDE)
    return busiest_window(image, side=side)


def write_preview(
    image: TrainingImage,
    found: NDArray[np.int32],
    path: Path,
    *,
    window: tuple[slice, slice],
) -> ArrayFile:
    """Write what was found in a part of an image.

    Parameters
    ----------
    image
        Gives the picture and the truth.
    found
        (Y, X) labels of the same image.
    path
        ``.npy`` to write: (3, Y, X) int32 of found labels, true labels, and the
        picture as 0xRRGGBB.
    window
        Rows and columns of that part.
    """
    colors = np.round(image.unit_image[window] * 255).astype(np.int32)
    red, green, blue = (
        colors[..., 0],
        colors[..., colors.shape[-1] // 2],
        colors[..., -1],
    )
    picture = (red << 16) | (green << 8) | blue
    np.save(path, np.stack([found[window], image.labels[window], picture]))
    return ArrayFile(path=str(path))


def _read_pair(pair: TrainingPair, rules: ReadRules) -> Checked:
    image = ImageFile(
        np.asarray(read_array(pair.image.array)),
        pair.image.axes,
        pair.image.channel_names,
        pair.image.pixel_size_um,
    )
    config = rules.config.model_copy(update={"axes": None})
    return check_pair(
        image,
        np.asarray(read_array(pair.labels)),
        pair.image.name,
        ignore=None if pair.ignore is None else np.asarray(read_array(pair.ignore)),
        classes=_read_classes(pair),
        rules=ReadRules(config, rules.model, rules.normalization),
    )


def _read_classes(pair: TrainingPair) -> Classes | None:
    """Return a class map as it is; a list of classes by the label's number."""
    if pair.classes is None:
        return None
    values = np.asarray(read_array(pair.classes)).astype(np.int64)
    if values.ndim == 2:
        return values
    return dict(enumerate(values.tolist()))


def _is_known(image: TrainingImage) -> bool:
    return image.ignore is None or not image.ignore.all()
