"""Two processes over gloo, as ``torchrun`` starts them, beside a single one."""

import csv
import json
import os
import subprocess
import sys

import imageio.v3 as iio
import numpy as np
import pytest

from napari_pffnet.config import Recipe, TrainConfig
from napari_pffnet.training import TrainStep, ValidationStep, train

pytestmark = pytest.mark.slow

# Each process writes what it has seen.  Argument 1 is the folder, 2 what to do.
SCRIPT = """
import hashlib, json, os, signal, sys
from contextlib import suppress
from pathlib import Path
from napari_pffnet.config import Recipe
from napari_pffnet.training import TrainingError, TrainStep, ValidationStep, loop, train

folder, task = Path(sys.argv[1]), sys.argv[2]
rank = int(os.environ["RANK"])
recipe = Recipe.from_file(folder / "recipe.toml")
start, runs, seen = loop.start_run, [], {"losses": {}, "scores": {}}

def remembered(*arguments):
    runs.append(start(*arguments))
    if rank == 1 and runs[-1].out.parent.name == "broken":
        runs[-1].network._loss_weights["semantic"] = float("inf")
    return runs[-1]

loop.start_run = remembered

def note(step):
    if isinstance(step, TrainStep):
        seen["losses"][step.step] = dict(step.losses)
    if isinstance(step, ValidationStep):
        seen["scores"][step.step] = step.score

def stop(step):
    if rank == 0 and isinstance(step, TrainStep) and step.step == 3:
        raise InterruptedError

def die(step):
    if rank == 1 and isinstance(step, TrainStep) and step.step == 3:
        os.kill(os.getpid(), signal.SIGKILL)

def run(name, recipe, listener):
    out = folder / name / "m.safetensors"
    return train(folder, val=folder, out=out, recipe=recipe, device="cpu",
                 on_step=listener)

if task == "die":
    run("killed", recipe, die)
run("whole", recipe, note)
weights = runs[0].network.state_dict().values()
data = b"".join(tensor.numpy().tobytes() for tensor in weights)
seen["weights"] = hashlib.sha256(data).hexdigest()
with suppress(InterruptedError):
    seen["stopped"] = run("stopped", recipe, stop).steps
try:
    run("broken", recipe, note)
except TrainingError as error:
    seen["error"] = str(error)
(folder / f"{rank}.json").write_text(json.dumps(seen))
"""


def torchrun(*arguments):
    """Start two processes on this machine and wait for their end."""
    return subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
            *("--nproc-per-node", "2", *map(str, arguments)),
        ],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def draw_squares(seed):
    """Return a grey image and its labels; of every third there are none."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((64, 64), np.uint16)
    for y, x in [(6, 8), (10, 40), (38, 20)] if seed % 3 else []:
        labels[y : y + 12 + seed, x : x + 16] = labels.max() + 1
    pixels = np.where(labels > 0, 180, 40) + rng.normal(0, 8, labels.shape)
    return pixels.clip(0, 255).astype(np.uint8), labels


@pytest.fixture(scope="module")
def folder(tiny_config, tmp_path_factory):
    """Images, and a recipe of four steps."""
    folder = tmp_path_factory.mktemp("several")
    for part in ("images", "labels"):
        (folder / part).mkdir()
    for seed in range(3):
        pixels, labels = draw_squares(seed)
        iio.imwrite(folder / "images" / f"{seed}.png", pixels)
        iio.imwrite(folder / "labels" / f"{seed}.png", labels)
    shape = {k: v for k, v in tiny_config.model_dump().items() if isinstance(v, int)}
    lines = [f"{key} = {json.dumps(value)}" for key, value in shape.items()]
    (folder / "recipe.toml").write_text(
        "[model]\nbackbone = 'resnet18'\n" + "\n".join(lines) + "\n[train]\n"
        "iterations = 4\ncrop_size = 64\nbatch_size = 1\nwarmup = 2\n"
        "validate_every = 2\noptimizer = 'sgd'\nlearning_rate = 0.01\n"
    )
    (folder / "script.py").write_text(SCRIPT)
    return folder


@pytest.fixture(scope="module")
def seen(folder):
    """What the two processes have seen, each in a dict."""
    done = torchrun(folder / "script.py", folder, "all")
    assert done.returncode == 0, done.stderr
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in (0, 1)]


def logged(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_all_processes_end_with_the_same_weights_losses_and_scores(seen):
    first, second = seen
    assert list(first["losses"]) == ["1", "2", "3", "4"]
    for what in ("weights", "losses", "scores"):
        assert first[what] == second[what]


def test_two_processes_take_the_steps_of_one_that_accumulates_two_passes(folder, seen):
    recipe = Recipe.from_file(folder / "recipe.toml")
    options = TrainConfig.model_validate({**dict(recipe.train), "accumulate": 2})
    alone = []
    train(
        folder,
        val=folder,
        out=folder / "alone" / "m.safetensors",
        recipe=recipe.model_copy(update={"train": options}),
        device="cpu",
        on_step=alone.append,
    )
    for step in alone:
        if isinstance(step, TrainStep):
            together = seen[0]["losses"][str(step.step)]
            assert dict(step.losses) == pytest.approx(together, rel=1e-4, abs=1e-6)
        if isinstance(step, ValidationStep):
            scored = seen[0]["scores"][str(step.step)]
            assert step.score == pytest.approx(scored, abs=0.02)


def test_only_the_first_process_writes(folder, seen):
    assert [row["step"] for row in logged(folder / "whole" / "m.log.csv")] == [
        "1", "2", "3", "4",
    ]  # fmt: skip
    assert len(logged(folder / "whole" / "m.val.csv")) == 2
    assert not list((folder / "whole").glob(".*"))


def test_a_run_that_the_first_process_stops_ends_in_the_others(folder, seen):
    assert "stopped" not in seen[0]
    assert seen[1]["stopped"] == 3
    assert len(logged(folder / "stopped" / "m.log.csv")) == 3
    assert (folder / "stopped" / "m.state.safetensors").exists()


def test_a_loss_that_is_not_finite_in_one_process_stops_all(seen):
    assert "loss (semantic) is not finite at step 1" in seen[0]["error"]
    assert seen[0]["error"] == seen[1]["error"]


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL on Windows")
def test_when_one_process_is_killed_all_end_and_the_command_line_resumes(folder, seen):
    killed = torchrun(folder / "script.py", folder, "die")
    assert killed.returncode != 0
    assert "SIGKILL" in killed.stderr
    out = folder / "killed" / "m.safetensors"
    command = ["-m", "napari_pffnet.cli", "train", folder, "--val", folder]
    command += ["--recipe", folder / "recipe.toml", "--out", out, "--device", "cpu"]
    resumed = torchrun(*command, "--resume")
    assert resumed.returncode == 0, resumed.stderr
    # Of two processes one speaks.
    assert resumed.stdout.count("Model: ") == 1
    whole = logged(folder / "whole" / "m.log.csv")
    again = logged(out.with_name("m.log.csv"))
    for row in (*whole, *again):
        del row["seconds"]
    assert again == whole
