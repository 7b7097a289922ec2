"""The scripts that train the released models."""

import runpy
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_pffnet.build import build_network
from napari_pffnet.config import Recipe, Thresholds
from napari_pffnet.instances import Instances
from napari_pffnet.training.base import effective_recipe, first_network
from napari_pffnet.weights import load_model

RECIPES = Path(__file__).parents[1] / "recipes"


def test_a_base_gives_the_weights_that_fit_and_the_recipe_the_shape(
    tiny_checkpoint, tiny_config
):
    script = runpy.run_path(str(RECIPES / "train.py"), run_name="recipe")
    model = tiny_config.model_copy(update={"box_hidden": 8, "classes": ("a", "b")})
    recipe = Recipe(model=model)
    base = script["load_base"](str(tiny_checkpoint), recipe)
    assert effective_recipe(recipe, base) == recipe
    made = first_network(recipe, base, resumed=False).state_dict()
    given = load_model(tiny_checkpoint, device="cpu").network.state_dict()
    name = "rpn.head.cls_logits.weight"
    assert torch.equal(made[name], given[name])
    shapes = {n: t.shape for n, t in made.items() if t.shape != given[n].shape}
    assert any(8 in shape for shape in shapes.values())


@pytest.fixture
def release(monkeypatch):
    """The names of ``recipes/release.py``, which imports its neighbour."""
    monkeypatch.syspath_prepend(str(RECIPES))
    return runpy.run_path(str(RECIPES / "release.py"), run_name="release")


def test_calibration_is_stored_in_the_last_layer(release, tiny_config):
    torch.manual_seed(0)
    network = build_network(tiny_config).eval()
    branch = network.mask_branch.quality
    features, logits = torch.randn(4, 16, 14, 14), torch.randn(4, 28, 28)
    boxes = torch.tensor([[0.0, 0.0, 20.0, 20.0]]).expand(4, -1)
    calibration = release["Calibration"](1.7, -0.4)
    with torch.no_grad():
        before = branch(features, logits, boxes).numpy()
        calibration.store(network)
        after = branch(features, logits, boxes).numpy()
    assert calibration(before) == pytest.approx(after, abs=1e-5)
    assert list(before.argsort()) == list(after.argsort())


def test_calibration_brings_overconfident_qualities_to_the_truth(release):
    # Ten squares; the prediction of every second one is half of it.
    truth = np.zeros((40, 200), np.int32)
    found = np.zeros_like(truth)
    for i in range(10):
        truth[10:30, 20 * i : 20 * i + 18] = i + 1
        found[10 : 20 if i % 2 else 30, 20 * i : 20 * i + 18] = i + 1
    said = np.where(np.arange(10) % 2, 0.8, 0.99)
    candidates = Instances.from_labels(found, qualities=said)
    images = [release["Validated"](truth, candidates, [])]
    fitted = release["calibrate"]({"squares": images}, Thresholds())
    # Half a square: Dice 2/3, IoU 1/2.
    assert fitted(np.array([0.8])) == pytest.approx(7 / 12, abs=0.01)
    assert fitted(np.array([0.99])) == pytest.approx(1, abs=0.01)


def test_the_thresholds_are_those_that_suit_both_sets(release):
    choices = release["CHOICES"]

    def image(best):
        values = [1.0 if choice == best else 0.5 for choice in choices]
        return release["Validated"](np.zeros((1, 1)), None, values)

    sets = {
        "small": [image(choices[2])],
        "large": [image(choices[5]), image(choices[2]), image(choices[5])],
    }
    value, chosen = release["best_thresholds"](sets)
    assert chosen == choices[2]
    assert value == pytest.approx((1 + 2 / 3) / 2)


def test_a_mean_of_quality_branches_begins_where_the_first_lacks_a_layer():
    script = runpy.run_path(str(RECIPES / "average_quality.py"), run_name="recipe")
    before, after = torch.nn.Linear(2, 1, bias=False), torch.nn.Linear(2, 1)
    mean = script["average"](before, after, 0.4)
    expected = 0.6 * before.weight + 0.4 * after.weight
    torch.testing.assert_close(mean["weight"], expected.detach())
    torch.testing.assert_close(mean["bias"], 0.4 * after.bias.detach())
