"""Setting images, or a part of one image, aside for validation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import find_objects

from napari_pffnet.data.parts import cut_window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_pffnet.data.training_image import TrainingImage

VALIDATION_SHARE = 0.1
"""Of several images, so many are set aside, and at least one."""
VALIDATION_PART = 0.25
"""Of a single image, so much of its longer side,"""
_CUTS = (0.6, 1.6)
"""times a factor in this range."""


@dataclass(frozen=True, slots=True)
class Split:
    """Training and validation images that have no pixel in common."""

    train: tuple[TrainingImage, ...]
    validation: tuple[TrainingImage, ...]


def split_validation(images: Sequence[TrainingImage], *, seed: int = 0) -> Split:
    """Set a tenth of the images aside, at least one.

    Images with objects are taken first, as far as one of them is left for
    training: nothing is learnt from a validation without objects.  A single
    image is cut in two by `split_image`.

    Parameters
    ----------
    images
        All images.
    seed
        Which ones.

    Raises
    ------
    ValueError
        If there are no images.
    """
    if not images:
        raise ValueError("No images to split; give at least one.")
    if len(images) == 1:
        return split_image(images[0])
    order = np.random.default_rng(seed).permutation(len(images))
    with_objects = [i for i in order if len(images[i].class_ids)]
    without = [i for i in order if not len(images[i].class_ids)]
    ranked = [*with_objects[1:], *without, *with_objects[:1]]
    count = min(max(1, round(VALIDATION_SHARE * len(images))), len(images) - 1)
    chosen = set(ranked[:count])
    return Split(
        tuple(image for i, image in enumerate(images) if i not in chosen),
        tuple(image for i, image in enumerate(images) if i in chosen),
    )


def split_image(image: TrainingImage) -> Split:
    """Cut one image along its longer side into training and validation.

    The cut lies where few objects are, so that validation gets about a quarter of
    them.  Objects on the cut are ignored on both sides of it.

    Parameters
    ----------
    image
        Not changed.

    Raises
    ------
    ValueError
        If the image is a single pixel.
    """
    axis = int(np.argmax(image.labels.shape))
    length = image.labels.shape[axis]
    if length < 2:
        raise ValueError(
            f"{image.name} has {length} pixel and cannot be split for validation; give "
            "validation images of their own (--val)."
        )
    cut, is_last = _best_cut(image, axis)
    first, last = _piece(image, axis, 0, cut), _piece(image, axis, cut, length)
    return Split((first,), (last,)) if is_last else Split((last,), (first,))


def _best_cut(image: TrainingImage, axis: int) -> tuple[int, bool]:
    """Return where to cut, and whether validation gets what lies behind.

    Both parts should have objects.  Then what counts is how many objects the cut
    destroys, and how far the share of validation is from the one wanted; then how
    far the cut is.
    """
    length, part = image.labels.shape[axis], VALIDATION_PART
    spans = [window[axis] for window in find_objects(image.labels) if window]
    starts = np.array([span.start for span in spans])
    stops = np.array([span.stop for span in spans])
    wanted = part * len(spans)
    lowest, highest = (
        min(max(1, round(factor * part * length)), length - 1) for factor in _CUTS
    )

    def cost(choice: tuple[int, bool]) -> tuple[bool, float, float, bool]:
        cut, is_last = choice
        before, behind = int((stops <= cut).sum()), int((starts >= cut).sum())
        lost = len(spans) - before - behind
        size = length - cut if is_last else cut
        missed = abs((behind if is_last else before) - wanted)
        is_bare = min(before, behind) == 0
        return is_bare, lost + missed, abs(size - part * length), not is_last

    sizes = range(lowest, highest + 1)
    choices = [(length - size, True) for size in sizes]
    choices += [(size, False) for size in sizes]
    return min(choices, key=cost)


def _piece(image: TrainingImage, axis: int, start: int, stop: int) -> TrainingImage:
    """Cut out rows or columns; objects that are not whole there are ignored."""
    windows = [slice(None), slice(None)]
    windows[axis] = slice(start, stop)
    return replace(cut_window(image, *windows), name=f"{image.name} [{start}:{stop}]")
