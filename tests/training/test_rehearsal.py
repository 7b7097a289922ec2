import numpy as np
import pytest

from napari_pffnet.config import ModelConfig, Recipe
from napari_pffnet.data.dataset import CropDataset
from napari_pffnet.sample_data import sample_names
from napari_pffnet.training.rehearsal import with_samples


def recipe(share, classes=("nucleus",)):
    train = {"rehearsal": share, "crop_size": 64}
    return Recipe.model_validate(
        {"model": ModelConfig(classes=classes), "train": train}
    )


def test_the_samples_get_their_share_of_the_crops(images):
    sources = with_samples(images, None, recipe(0.25))
    assert len(sources.images) == len(images) + len(sample_names())
    dataset = CropDataset(sources.images, recipe(0.25).train, weights=sources.weights)
    assert dataset.chances[len(images) :].sum() == pytest.approx(0.25)
    assert np.ptp(dataset.chances[: len(images)]) == 0


@pytest.mark.parametrize("given", [recipe(0.0), recipe(0.25, ("a", "b"))])
def test_without_a_share_or_with_classes_there_are_none(images, given):
    sources = with_samples(images, [1.0, 2.0, 3.0], given)
    assert sources.images == tuple(images)
    assert sources.weights == (1.0, 2.0, 3.0)
