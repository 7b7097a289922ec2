import errno
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch

from napari_pffnet import weights
from napari_pffnet.config import Recipe, TrainConfig
from napari_pffnet.training import (
    TrainingError,
    TrainStep,
    ValidationStep,
    train,
    train_iter,
)
from napari_pffnet.training.state import previous_state_path, state_path
from napari_pffnet.weights import load_model


def losses(images, recipe, out, stop_after=None, **options):
    """Train; return the losses by step, perhaps closing the run after a step."""
    found = {}
    steps = train_iter(images, recipe=recipe, out=out, device="cpu", **options)
    for step in steps:
        if isinstance(step, TrainStep):
            found[step.step] = dict(step.losses)
            if step.step == stop_after:
                steps.close()
    return found


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_a_run_that_was_stopped_goes_on_with_the_same_losses(
    images, change, tmp_path, optimizer
):
    recipe = change(optimizer=optimizer, accumulate=2, validate_every=100)
    whole = losses(images, recipe, tmp_path / "whole.safetensors")
    out = tmp_path / "m.safetensors"
    first = losses(images, recipe, out, stop_after=3)
    second = losses(images, recipe, out, resume=True)
    assert list(second) == [4, 5, 6]
    assert first | second == whole


def test_a_resumed_run_ends_with_the_same_mean_of_the_weights(images, change, tmp_path):
    recipe = change(ema_decay=0.8)
    whole, out = tmp_path / "whole.safetensors", tmp_path / "m.safetensors"
    losses(images, recipe, whole)
    losses(images, recipe, out, stop_after=3)
    losses(images, recipe, out, resume=True)
    one, two = (load_model(p, device="cpu").network.state_dict() for p in (whole, out))
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_a_mean_can_begin_with_a_resumed_run(images, change, tmp_path):
    out = tmp_path / "m.safetensors"
    losses(images, change(), out, stop_after=5)
    stopped = load_model(out.with_name("m.last.safetensors"), device="cpu")
    losses(images, change(ema_decay=1 - 1e-12), out, resume=True)
    end = load_model(out, device="cpu").network.state_dict()
    before = stopped.network.state_dict()
    assert all(torch.allclose(end[name], before[name]) for name in end)


def test_a_damaged_state_falls_back_to_the_one_before(images, change, tmp_path, caplog):
    recipe = change(validate_every=2)
    out = tmp_path / "m.safetensors"
    whole = losses(images, recipe, out)
    state_path(out).write_bytes(state_path(out).read_bytes()[:-10])
    again = losses(images, recipe, out, resume=True)
    assert again == {step: whole[step] for step in (5, 6)}
    assert "damaged" in caplog.text
    lines = (tmp_path / "m.log.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines[1:]] == list("123456")


def test_a_kill_between_the_two_files_loses_nothing(images, change, tmp_path):
    out = tmp_path / "m.safetensors"
    whole = losses(images, change(), out)
    # As if killed after the rename of the old state, before the new is written.
    state_path(out).replace(previous_state_path(out))
    assert losses(images, change(iterations=7), out, resume=True).keys() == {7}
    assert len(whole) == 6


def test_what_a_killed_run_was_writing_goes(images, recipe, tmp_path):
    out = tmp_path / "m[1].safetensors"
    kinds = ("", ".last", ".state")
    left = [tmp_path / f".m[1]{kind}.safetensors.0123abcd" for kind in kinds]
    others = [
        tmp_path / ".m[1].safetensors.notours",
        tmp_path / ".m1.safetensors.0123abcd",
    ]
    for path in (*left, *others):
        path.write_bytes(b"half")
    losses(images, recipe, out, stop_after=1, resume=True)
    assert [*filter(lambda path: path.exists(), (*left, *others))] == others


@pytest.mark.parametrize("log", [b"\0" * 99 + b"\n\0\n", b"step,total\n\0,1\n\xff,2\n"])
def test_a_log_that_a_power_cut_has_spoilt_does_not_keep_a_run_from_going_on(
    images, recipe, tmp_path, log
):
    out = tmp_path / "m.safetensors"
    losses(images, recipe, out, stop_after=3)
    (tmp_path / "m.log.csv").write_bytes(log)
    assert list(losses(images, recipe, out, resume=True)) == [4, 5, 6]
    assert (tmp_path / "m.log.csv").read_text().count("\n") == 4


def test_a_full_disk_ends_a_run_that_can_go_on(images, recipe, tmp_path, monkeypatch):
    def fill(path, content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    out = tmp_path / "m.safetensors"
    losses(images, recipe, out, stop_after=2)
    with monkeypatch.context() as patch:
        patch.setattr(weights, "write_atomically", fill)
        with pytest.raises(TrainingError, match=r"No space left .* go on with resume"):
            losses(images, recipe, out, resume=True)
    assert list(losses(images, recipe, out, resume=True)) == [3, 4, 5, 6]


def test_resume_without_a_state_starts_anew_and_a_done_run_is_done(
    images, recipe, tmp_path
):
    out = tmp_path / "m.safetensors"
    assert len(losses(images, recipe, out, resume=True)) == 6
    assert losses(images, recipe, out, resume=True) == {}


def test_a_run_closed_before_its_last_validation_does_it_when_resumed(
    images, recipe, tmp_path
):
    out = tmp_path / "m.safetensors"
    options = {"recipe": recipe, "out": out, "device": "cpu"}
    steps = train_iter(images, {"v": images}, **options)
    for step in steps:
        if isinstance(step, TrainStep) and step.step == 6:
            steps.close()
    again = list(train_iter(images, {"v": images}, resume=True, **options))
    assert [step.step for step in again if isinstance(step, ValidationStep)] == [6]
    assert not any(isinstance(step, TrainStep) for step in again)


def test_a_new_run_forgets_the_state_of_an_earlier_one(images, recipe, tmp_path):
    out = tmp_path / "m.safetensors"
    losses(images, recipe, out)
    steps = train_iter(images, recipe=recipe, out=out, device="cpu")
    next(steps)
    assert not state_path(out).exists()
    assert not previous_state_path(out).exists()
    steps.close()


def test_the_first_model_of_a_run_is_never_without_a_state(images, change, tmp_path):
    out = tmp_path / "m.safetensors"
    options = {"recipe": change(validate_every=2), "out": out, "device": "cpu"}
    for step in train_iter(images, {"v": images}, **options):
        assert state_path(out).exists() or not out.exists(), step


def test_a_model_without_a_state_is_not_replaced_by_resume(images, recipe, tmp_path):
    out = tmp_path / "m.safetensors"
    losses(images, recipe, out)
    state_path(out).unlink()
    previous_state_path(out).unlink()
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(ValueError, match="no training state is beside it"):
        losses(images, recipe, out, resume=True)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_states_that_are_all_damaged_are_not_replaced_by_resume(
    images, recipe, tmp_path
):
    out = tmp_path / "m.safetensors"
    losses(images, recipe, out)
    for path in (state_path(out), previous_state_path(out)):
        path.write_bytes(path.read_bytes()[:-100])
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(ValueError, match=r"No training state beside .* can be used"):
        losses(images, recipe, out, resume=True)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_resume_wants_the_base_that_the_run_started_from(images, recipe, tmp_path):
    first, out = tmp_path / "first.safetensors", tmp_path / "m.safetensors"
    losses(images, recipe, first)
    base = load_model(first, device="cpu")
    options = {"out": out, "recipe": recipe, "device": "cpu"}
    train(images, val=images, base=base, **options)
    with pytest.raises(ValueError, match=f"{base.info.name}; give it as the base"):
        train(images, val=images, resume=True, **options)
    with pytest.raises(ValueError, match="started without a base; give none, or start"):
        train(images, val=images, base=base, resume=True, **options | {"out": first})
    assert train(images, val=images, base=base, resume=True, **options).steps == 6


def test_a_state_of_another_network_is_refused(images, recipe, tmp_path):
    out = tmp_path / "m.safetensors"
    losses(images, recipe, out)
    model = recipe.model.model_copy(update={"in_channels": 1})
    other = recipe.model_copy(update={"model": model})
    with pytest.raises(ValueError, match="network of another shape"):
        losses(images, other, out, resume=True)


def test_a_listener_that_raises_stops_the_run_and_saves_it(images, change, tmp_path):
    out = tmp_path / "m.safetensors"

    def interrupt(step):
        if step.step == 3:
            raise KeyboardInterrupt

    options = {"out": out, "val": images, "device": "cpu"}
    recipe = change(validate_every=100)
    with pytest.raises(KeyboardInterrupt):
        train(images, recipe=recipe, on_step=interrupt, **options)
    assert losses(images, recipe, out, resume=True).keys() == {4, 5, 6}


SCRIPT = """
import os, signal, sys
import numpy as np
from pathlib import Path
from napari_pffnet.config import Recipe
from napari_pffnet.data.training_image import TrainingImage
from napari_pffnet.training import train_iter

folder = Path(sys.argv[1])
recipe = Recipe.model_validate_json((folder / "recipe.json").read_text())
data = np.load(folder / "image.npz")
image = TrainingImage(data["image"], data["labels"], None, data["ids"], "killed")
for step in train_iter([image], recipe=recipe, out=folder / "m.safetensors"):
    if step.step == 3 and hasattr(step, "losses"):
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL on Windows")
def test_pffnet_goes_on_after_kill_9_as_if_nothing_had_happened(
    images, tiny_config, tmp_path
):
    options = TrainConfig(iterations=3, crop_size=64, validate_every=2, batch_size=1)
    recipe = Recipe(model=tiny_config, train=options)
    (tmp_path / "recipe.json").write_text(recipe.model_dump_json())
    image = images[0]
    np.savez(
        tmp_path / "image.npz",
        image=image.image,
        labels=image.labels,
        ids=image.class_ids,
    )
    killed = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    resumed = losses([image], recipe, tmp_path / "m.safetensors", resume=True)
    whole = losses([image], recipe, tmp_path / "whole.safetensors")
    assert resumed == {3: whole[3]}
