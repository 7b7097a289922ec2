"""Training in the real child process, on small images of discs."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_pffnet._qt.arrays import write_array
from napari_pffnet.catalog import read_info
from napari_pffnet.config import ModelConfig, Recipe, TrainConfig
from napari_pffnet.messages import (
    Cancel,
    DescribeDevices,
    Devices,
    Failed,
    Finish,
    ImageRef,
    LossStep,
    ScoreStep,
    Stopped,
    TrainDone,
    TrainingPair,
    TrainRequest,
)
from napari_pffnet.training import TrainStep
from napari_pffnet.weights import load_model
from napari_pffnet.worker.control import Control
from napari_pffnet.worker.training import run


@pytest.fixture
def discs():
    """An image of nine bright discs, and their labels."""
    y, x = np.mgrid[:96, :96]
    labels = np.zeros((96, 96), np.int32)
    for number, (cy, cx) in enumerate(np.argwhere(np.ones((3, 3))) * 32 + 16, start=1):
        labels[(y - cy) ** 2 + (x - cx) ** 2 < 90] = number
    noise = np.random.default_rng(0).normal(0, 8, labels.shape)
    image = np.where(labels > 0, 200, 30) + noise
    return image.clip(0, 255).astype(np.uint8), labels


@pytest.fixture
def training(tmp_path, tiny_checkpoint, discs):
    """Make a request to train on the discs."""

    def make(
        *, ignore=None, classes=None, names=("object",), **options
    ) -> TrainRequest:
        image, labels = discs
        folder = tmp_path / "in"

        def write(name, array):
            return None if array is None else write_array(folder, name, array)

        pair = TrainingPair(
            image=ImageRef(array=write("image", image), axes="YX", name="discs"),
            labels=write("labels", labels),
            ignore=write("ignore", ignore),
            classes=write("classes", classes),
        )
        train = {"iterations": 4, "crop_size": 64, "validate_every": 2, "warmup": 1}
        return TrainRequest(
            pairs=(pair,),
            base=str(tiny_checkpoint),
            recipe=Recipe(
                name="discs",
                model=ModelConfig(classes=names),
                train=TrainConfig.model_validate(train | options),
            ),
            device="cpu",
            out=str(tmp_path / "new.safetensors"),
        )

    return make


def of_kind(kind, bodies):
    return [body for body in bodies if isinstance(body, kind)]


def test_a_training_tells_losses_and_scores_and_leaves_a_model(window, training):
    request = training()
    bodies = window.run(request)
    losses, scores = of_kind(LossStep, bodies), of_kind(ScoreStep, bodies)
    assert [step.step for step in losses] == [1, 2, 3, 4]
    assert {"mask", "box_class"} < set(losses[0].losses)
    assert [score.step for score in scores] == [0, 2, 4]
    done = bodies[-1]
    assert isinstance(done, TrainDone)
    model = load_model(done.path, device="cpu")
    assert model.info.training["base"] == "tiny"
    # Some of the single image was set aside.
    assert 0 < model.info.training["objects"] < 9
    assert [path.name for path in Path(request.out).parent.glob("*.safetensors")] == [
        "new.safetensors"
    ]


def test_each_score_comes_with_a_picture(window, training, discs):
    score = of_kind(ScoreStep, window.run(training()))[0]
    found, true, picture = np.load(score.preview.path)
    assert found.shape == true.shape == picture.shape
    assert true.any()
    red, green, blue = picture >> 16 & 255, picture >> 8 & 255, picture & 255
    assert (red == green).all()
    assert (green == blue).all()
    assert blue[true > 0].mean() > 200 > 50 > blue[true == 0].mean()


def test_only_what_is_known_is_learnt(window, training):
    ignore = np.zeros((96, 96), bool)
    ignore[:, 32:] = True
    done = window.run(training(ignore=ignore))[-1]
    assert read_info(done.path).training["objects"] == 2


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("std::bad_alloc"), torch.OutOfMemoryError()]
)
def test_want_of_memory_is_told_with_what_helps_a_training(
    training, monkeypatch, error
):
    def starved(*_, **__):
        yield TrainStep(1, 4, {}, 0.0, 0.0, 0.0)
        raise error

    monkeypatch.setattr("napari_pffnet.worker.training.train_iter", starved)
    with pytest.raises(ValueError, match="fewer or smaller crops"):
        list(run(training(), Control()))


def test_nothing_known_is_told_as_a_sentence(window, training):
    failed = window.run(training(ignore=np.ones((96, 96), bool)))[-1]
    assert isinstance(failed, Failed)
    assert "nothing to learn from" in failed.sentence


def test_classes_are_learnt_from_a_list_or_a_map(window, training, discs):
    by_label = np.array([0, 1, 2, 1, 2, 1, 2, 1, 2, 1])
    for classes in (by_label, by_label[discs[1]]):
        done = window.run(training(classes=classes, names=("a", "b")))[-1]
        assert read_info(done.path).model.classes == ("a", "b")


def test_who_finishes_early_gets_the_best_so_far(window, training):
    window.send(1, training(iterations=500, validate_every=500))
    while not isinstance(window.next_answer().body, LossStep):
        pass
    window.send(1, Finish())
    bodies = [window.next_answer().body]
    while not isinstance(bodies[-1], TrainDone):
        bodies.append(window.next_answer().body)
    assert bodies[-1].steps < 500
    assert of_kind(ScoreStep, bodies)[-1].step == bodies[-1].steps
    assert Path(bodies[-1].path).exists()


def test_a_cancelled_training_stops_and_the_child_goes_on(window, training):
    window.send(1, training(iterations=500))
    while not isinstance(window.next_answer().body, LossStep):
        pass
    window.send(1, Cancel())
    while not isinstance(body := window.next_answer().body, Stopped):
        assert isinstance(body, LossStep | ScoreStep)
    assert isinstance(window.run(DescribeDevices())[-1], Devices)


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_what_loads_crops_ends_with_the_child(start_window, training):
    window = start_window()
    window.send(1, training(iterations=500, workers=1))
    while not isinstance(window.next_answer().body, LossStep):
        pass
    children = Path(f"/proc/{window.process.pid}/task/{window.process.pid}/children")
    loaders = [int(number) for number in children.read_text().split()]
    assert loaders
    window.vanish()
    deadline = time.monotonic() + 10
    while any(_runs(number) for number in loaders):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _runs(number: int) -> bool:
    try:
        os.kill(number, 0)
        return "Z" not in Path(f"/proc/{number}/stat").read_text().split()[2]
    except (ProcessLookupError, FileNotFoundError):
        return False
