import pytest
import torch
from torch import nn

from napari_pffnet.config import TrainConfig
from napari_pffnet.training.schedule import build_optimizer, learning_rate


def rates(*steps, **options):
    config = TrainConfig(iterations=100, warmup=10, learning_rate=1.0, **options)
    return [learning_rate(step, config) for step in steps]


def test_warm_up_rises_in_a_line_from_the_first_step():
    assert rates(1, 5, 10) == pytest.approx([0.1, 0.5, 1.0])


def test_a_run_shorter_than_its_warm_up_comes_to_its_rate_and_down_again():
    config = TrainConfig(iterations=50, warmup=200, learning_rate=1.0)
    found = [learning_rate(step, config) for step in (1, 10, 30, 50)]
    assert found[:2] == pytest.approx([0.1, 1.0])
    assert found[3] < 0.01 < found[2] < 0.6
    assert learning_rate(1, TrainConfig(iterations=1, learning_rate=1.0)) == 1.0


def test_step_falls_to_a_tenth_after_three_quarters():
    assert rates(11, 75, 76, 100, schedule="step") == pytest.approx([1, 1, 0.1, 0.1])


def test_cosine_is_whole_after_warm_up_half_in_the_middle_and_small_at_the_end():
    start, middle, end = rates(11, 56, 100, schedule="cosine")
    assert (start, middle) == pytest.approx((1.0, 0.5))
    assert 0 < end < 0.001


def test_constant_stays():
    assert rates(11, 100, schedule="constant") == [1.0, 1.0]


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_norms_and_biases_are_not_decayed(name):
    network = nn.Sequential(nn.Conv2d(1, 8, 3), nn.GroupNorm(1, 8))
    network[0].bias.requires_grad = False
    config = TrainConfig(optimizer=name, weight_decay=0.1, momentum=0.8)
    optimizer = build_optimizer(network, config)
    decay = {
        id(p): g["weight_decay"] for g in optimizer.param_groups for p in g["params"]
    }
    assert decay == {
        id(network[0].weight): 0.1,
        id(network[1].weight): 0,
        id(network[1].bias): 0,
    }
    kind = torch.optim.SGD if name == "sgd" else torch.optim.AdamW
    assert isinstance(optimizer, kind)
