"""``pffnet train``."""

import json
import signal
import sys

import imageio.v3 as iio
import numpy as np
import pytest
from scipy import ndimage

from napari_pffnet.cli import main

RECIPE = """
name = "speck"
[model]
backbone = "resnet18"
fpn_channels = 16
box_hidden = 16
mask_channels = 16
mask_fc_channels = 4
quality_channels = 16
quality_hidden = 16
semantic_channels = 8
fusion_channels = 8
rpn_post_nms_train = 50
rpn_post_nms_test = 50
[train]
iterations = 2
batch_size = 1
crop_size = 64
validate_every = 1
"""


@pytest.fixture
def annotated(tmp_path, cells):
    """A folder of two annotated images, and a recipe that is done at once."""
    folder = tmp_path / "annotated"
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True)
    image = iio.imread(cells)
    labels, _ = ndimage.label(image > 100)
    for name in "ab":
        iio.imwrite(folder / "images" / f"{name}.png", image)
        iio.imwrite(folder / "labels" / f"{name}.png", labels.astype(np.uint8))
    (tmp_path / "speck.toml").write_text(RECIPE)
    return folder


@pytest.fixture
def train(tmp_path, annotated):
    """Run ``pffnet train`` with the recipe; the model goes to ``speck``."""

    def run(*words, folder=annotated) -> int:
        out = ["--out", tmp_path / "speck.safetensors"]
        recipe = ["--recipe", tmp_path / "speck.toml"]
        return main(["train", *map(str, [folder, *words, *out, *recipe])])

    return run


def test_train_writes_a_model_that_segments(train, cells, tmp_path, capsys):
    assert train("--seed", "3") == 0
    said = capsys.readouterr().out
    model = tmp_path / "speck.safetensors"
    assert "step 2: val: AJI" in said
    assert str(model) in said
    words = ["--model", str(model), "--out", str(tmp_path / "out"), "--quiet"]
    assert main(["segment", str(cells), *words]) == 0
    assert main(["models", "info", str(model), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "speck"


def test_train_does_not_replace_a_model_by_accident(train, tmp_path, capsys):
    model = tmp_path / "speck.safetensors"
    model.write_text("precious")
    assert train() == 2
    assert "--overwrite" in capsys.readouterr().err
    assert model.read_text() == "precious"


@pytest.mark.parametrize(
    "ending", ["state.safetensors", "state.previous.safetensors", "val.csv"]
)
def test_train_does_not_forget_a_run_that_was_killed(train, tmp_path, capsys, ending):
    left = tmp_path / f"speck.{ending}"
    left.write_text("precious")
    assert train() == 2
    assert "--resume" in capsys.readouterr().err
    assert left.read_text() == "precious"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "[train.augment]\nscale = [0, 1]",
            "scale.0 0 should be greater than or equal to 0.05",
        ),
        ("[train.augment]\nscale = [1.7, 0.6]", "scale 1.7 to 0.6 is no range"),
        ("name = ", "speck.toml is no recipe in TOML"),
    ],
)
def test_a_recipe_with_a_mistake_is_refused_in_a_sentence(
    train, tmp_path, capsys, text, said
):
    (tmp_path / "speck.toml").write_text(text)
    assert train() == 2
    assert said in capsys.readouterr().err


@pytest.mark.skipif(sys.platform != "linux", reason="others promise any memory")
def test_a_training_that_needs_too_much_memory_ends_in_a_sentence(
    train, tmp_path, capsys
):
    recipe = tmp_path / "speck.toml"
    recipe.write_text(RECIPE.replace("crop_size = 64", "crop_size = 1000000"))
    assert train("--quiet") == 1
    assert "make batch_size, crop_size or validation_size" in capsys.readouterr().err


def test_ctrl_c_stops_a_training_that_can_be_resumed(train, tmp_path, monkeypatch):
    from napari_pffnet.cli import train as command

    def interrupt(*_):
        signal.raise_signal(signal.SIGINT)

    show_step = command.show_step
    monkeypatch.setattr(command, "show_step", interrupt)
    assert train("--quiet") == 130
    assert (tmp_path / "speck.last.safetensors").exists()
    monkeypatch.setattr(command, "show_step", show_step)
    assert train("--resume", "--quiet") == 0
    assert (tmp_path / "speck.safetensors").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--iterations", "0"], "iterations 0 should be greater than 0"),
        (["--base", "elephants"], "elephants"),
        (["--val", "nowhere"], "nowhere"),
    ],
)
def test_mistakes_in_training_end_in_one_sentence(train, words, said, capsys):
    assert train(*words) == 2
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error


def test_a_mistake_in_a_recipe_is_named(train, tmp_path, capsys):
    (tmp_path / "speck.toml").write_text("[train]\niterrations = 3")
    assert train() == 2
    assert "no option train.iterrations" in capsys.readouterr().err
