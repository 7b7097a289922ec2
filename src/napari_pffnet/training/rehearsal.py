"""Practice on the bundled samples, so that a base model forgets less."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_pffnet.data.pairs import from_arrays
from napari_pffnet.data.prepare import ReadRules
from napari_pffnet.sample_data import load_sample, sample_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_pffnet.config import Recipe
    from napari_pffnet.data.training_image import TrainingImage


@dataclass(frozen=True, slots=True)
class CropSources:
    """Images to cut crops from, and the chance of each to be chosen."""

    images: tuple[TrainingImage, ...]
    weights: tuple[float, ...]


def with_samples(
    images: Sequence[TrainingImage], weights: Sequence[float] | None, recipe: Recipe
) -> CropSources:
    """Add the bundled samples to the training images, where the recipe wants it.

    A model that learns one image of dark nuclei on bright tissue else forgets bright
    nuclei within a hundred steps.  The samples show one kind of object: where
    several are to be learnt, they are left out.

    Parameters
    ----------
    images, weights
        The training images, and their chances in any unit; None: all equal.
    recipe
        Its ``train.rehearsal`` is the share of the crops that the samples get.
    """
    weights = tuple(weights or [1.0] * len(images))
    share = recipe.train.rehearsal
    if share == 0 or len(recipe.model.classes) > 1:
        return CropSources(tuple(images), weights)
    samples = [load_sample(name) for name in sample_names()]
    known = from_arrays(
        [sample.image for sample in samples],
        [sample.labels for sample in samples],
        names=[sample.name for sample in samples],
        rules=ReadRules(model=recipe.model, normalization=recipe.normalization),
    )
    each = share / (1 - share) * sum(weights) / len(known)
    return CropSources((*images, *known), (*weights, *[each] * len(known)))
