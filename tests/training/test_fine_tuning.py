"""What a training that begins with a model promises."""

import numpy as np
import pytest
import torch

from napari_pffnet.data.training_image import TrainingImage
from napari_pffnet.training import TrainStep, ValidationStep, train_iter
from napari_pffnet.training.validation import _compare
from napari_pffnet.weights import load_model


@pytest.fixture
def base(images, recipe, tmp_path):
    for _ in train_iter(images, recipe=recipe, out=tmp_path / "base.safetensors"):
        pass
    return load_model(tmp_path / "base.safetensors", device="cpu")


def tune(images, base, recipe, out, **options):
    steps = train_iter(
        images, {"v": images[:1]}, recipe=recipe, out=out, base=base, **options
    )
    told = []
    while True:
        try:
            told.append(next(steps))
        except StopIteration as stop:
            return told, stop.value


def test_the_base_is_scored_first_and_the_result_is_never_worse(
    images, base, change, tmp_path
):
    harmful = change(learning_rate=1e-30)
    told, result = tune(images, base, harmful, tmp_path / "a.safetensors")
    assert isinstance(told[0], ValidationStep)
    assert (told[0].step, told[0].is_best) == (0, True)
    assert told[0].example.shape == images[0].labels.shape
    # Nothing was learnt: the base itself is what is left.
    assert result.best_step == 0
    kept = load_model(result.path, device="cpu")
    for name, tensor in kept.network.state_dict().items():
        assert torch.equal(tensor, base.network.state_dict()[name])


def test_who_asks_to_finish_gets_the_last_step_validated(
    images, base, recipe, tmp_path
):
    done = []

    def enough():
        done.append(1)
        return len(done) == 3

    told, result = tune(
        images, base, recipe, tmp_path / "a.safetensors", should_finish=enough
    )
    assert [s.step for s in told if isinstance(s, TrainStep)] == [1, 2, 3]
    assert [s.step for s in told if isinstance(s, ValidationStep)] == [0, 2, 3]
    assert result.steps == 3
    assert result.path.exists()


def test_only_the_best_leaves_nothing_but_the_checkpoint(
    images, base, recipe, tmp_path
):
    folder = tmp_path / "run"
    folder.mkdir()
    tune(images, base, recipe, folder / "a.safetensors", only_best=True)
    assert [path.name for path in folder.iterdir()] == ["a.safetensors"]


def known_up_to_20(truth):
    """An image of 40 x 40 pixels and one object, ignored from column 20 on."""
    ignore = np.zeros((40, 40), bool)
    ignore[:, 20:] = True
    pixels = np.zeros((40, 40, 3), np.uint8)
    return TrainingImage(pixels, truth, ignore, np.ones(1), "")


def test_what_is_found_in_the_unknown_is_neither_right_nor_wrong():
    truth = np.zeros((40, 40), np.int32)
    truth[5:15, 5:15] = 1
    image = known_up_to_20(truth)
    found = truth.copy()
    found[5:15, 18:30] = 2
    assert _compare(image, found) == (1.0, 1.0)
    found[25:35, 10:22] = 3
    assert _compare(image, found)[1] < 0.9


def test_of_an_object_that_reaches_into_the_unknown_the_known_part_counts():
    truth = np.zeros((40, 40), np.int32)
    truth[5:15, 8:24] = 1
    image = known_up_to_20(truth)
    assert _compare(image, truth) == (1.0, 1.0)
    # Of 12 known columns the 6 that are not found are missed.
    assert _compare(image, np.where(np.arange(40) < 14, 0, truth))[0] == 0.5
