"""The scripts that train the released models."""

import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import expit, logit

from napari_pffnet.build import build_network
from napari_pffnet.config import Recipe, Thresholds
from napari_pffnet.data.pairs import from_arrays
from napari_pffnet.data.parts import median_diameter
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


def test_images_of_small_objects_are_trained_on_mostly_enlarged():
    script = runpy.run_path(str(RECIPES / "train.py"), run_name="recipe")
    large, small = np.zeros((2, 64, 64), np.int32)
    large[10:40, 10:40] = 1
    small[10:20, 10:20] = 1
    small[30:40, 10:20] = 2
    images = from_arrays([np.zeros((64, 64))] * 3, [large, small, small])
    sets = {"bbbc039": images[:1], "dsb2018": images[1:]}
    versions, weights = zip(*script["weigh"](sets), strict=True)
    sizes = [median_diameter(version) for version in versions]
    # The size of a square of 10 pixels is that of a disc of 11.3.
    assert sizes == pytest.approx([33.9, 11.3, 36, 11.3, 36], rel=0.03)
    assert weights == pytest.approx([0.35, *[0.65 / 2 * 0.3, 0.65 / 2 * 0.7] * 2])


def silence(block, *groups):
    """Have these groups of a block's norm give 0 whatever they see."""
    size = block[1].num_channels // block[1].num_groups
    for group in groups:
        block[1].weight[group * size : (group + 1) * size] = 0
        block[1].bias[group * size : (group + 1) * size] = 0


@torch.no_grad()
def test_a_network_without_its_idle_channels_says_the_same(tiny_config):
    torch.manual_seed(0)
    wide = build_network(tiny_config).eval().mask_branch
    masks, quality = wide.generator, wide.quality
    for block in (*masks.conv_x3, masks.conv1, masks.conv3, quality.conv1):
        silence(block, 0)
    for block in (quality.conv2, quality.conv3, quality.conv4):
        silence(block, 1)
    silence(masks.conv4, 0, 3, 5, 6)
    widths = {"mask_channels": 8, "quality_channels": 8}
    narrow = build_network(tiny_config.model_copy(update=widths)).eval().mask_branch
    script = runpy.run_path(str(RECIPES / "narrow.py"), run_name="narrow")
    script["narrow_masks"](narrow.generator, masks)
    script["narrow_quality"](narrow.quality, quality)
    pyramid = [torch.randn(1, 16, 64 // 2**i, 64 // 2**i) for i in range(4)]
    boxes = torch.tensor([[3.0, 5.0, 90.0, 70.0], [10.0, 20.0, 40.0, 60.0]])
    scores = torch.tensor([0.9, 0.8])
    for given, wanted in zip(
        narrow.detect(pyramid, boxes, scores),
        wide.detect(pyramid, boxes, scores),
        strict=True,
    ):
        torch.testing.assert_close(given, wanted)


@pytest.fixture
def release(monkeypatch):
    """The names of ``recipes/release.py``, which imports its neighbour."""
    monkeypatch.syspath_prepend(str(RECIPES))
    return runpy.run_path(str(RECIPES / "release.py"), run_name="release")


def test_calibration_is_stored_in_the_last_layer(release, tiny_config):
    torch.manual_seed(0)
    inputs = {"quality_sees_score": True, "quality_sees_certainty": True}
    network = build_network(tiny_config.model_copy(update=inputs)).eval()
    branch = network.mask_branch.quality
    branch.certainty_weight.fill_(0.5)
    features, logits = torch.randn(4, 16, 14, 14), torch.randn(4, 28, 28)
    boxes = torch.tensor([[0.0, 0.0, 20.0, 20.0]]).expand(4, -1)
    scores = torch.tensor([0.3, 0.9, 0.99, 1.0])
    calibration = release["Calibration"](1.7, -0.4, 0.3)
    with torch.no_grad():
        before = branch(features, logits, boxes, scores).numpy()
        calibration.store(network)
        after = branch(features, logits, boxes, scores).numpy()
    assert calibration.logits(before, scores.numpy()) == pytest.approx(
        logit(after), abs=1e-2
    )
    without = calibration.logits(before, np.full(4, 0.5))
    assert not np.allclose(logit(after), without, atol=0.1)


def test_calibration_brings_overconfident_qualities_to_the_truth(release):
    # Ten squares; the prediction of every second one is half of it.
    truth = np.zeros((40, 200), np.int32)
    found = np.zeros_like(truth)
    for i in range(10):
        truth[10:30, 20 * i : 20 * i + 18] = i + 1
        found[10 : 20 if i % 2 else 30, 20 * i : 20 * i + 18] = i + 1
    said = np.where(np.arange(10) % 2, 0.8, 0.99)
    sure = np.full(10, 0.5)  # scores that tell nothing
    candidates = Instances.from_labels(found, scores=sure, qualities=said)
    images = [release["Validated"](truth, candidates, [])]
    fitted = release["calibrate"]({"squares": images}, Thresholds())
    # Half a square: Dice 2/3, IoU 1/2.
    assert expit(fitted.logits(np.array([0.8, 0.99]), sure[:2])) == pytest.approx(
        [7 / 12, 1], abs=0.01
    )


def test_calibration_finds_a_large_offset(release):
    # 400 squares of 10 x 10, each found by a part of its columns; the logits of the
    # qualities are all too high by 4.
    columns = 4 + np.arange(400) % 6
    truth, found = np.zeros((2, 10, 4000), np.int32)
    for i, kept in enumerate(columns):
        truth[:, 10 * i : 10 * i + 10] = i + 1
        found[:, 10 * i : 10 * i + kept] = i + 1
    iou = columns / 10
    true = (iou + 2 * iou / (1 + iou)) / 2
    candidates = Instances.from_labels(
        found, scores=np.full(400, 0.9), qualities=expit(logit(true) + 4)
    )
    images = [release["Validated"](truth, candidates, [])]
    fitted = release["calibrate"]({"squares": images}, Thresholds())
    said = expit(fitted.logits(candidates.qualities, candidates.scores))
    assert said == pytest.approx(true, abs=0.01)


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
