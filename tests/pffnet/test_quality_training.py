"""Training of the quality branch alone, on detections."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch

from napari_pffnet.build import build_network
from napari_pffnet.pffnet.quality_training import QualityTraining
from napari_pffnet.pffnet.structures import ImageTarget

if TYPE_CHECKING:
    from napari_pffnet.config import ModelConfig


def two_squares() -> ImageTarget:
    label_map = torch.zeros(64, 64, dtype=torch.int32)
    label_map[4:20, 4:20] = 1
    label_map[36:60, 30:60] = 2
    return ImageTarget(
        label_map,
        torch.tensor([[4.0, 4, 20, 20], [30.0, 36, 60, 60]]),
        torch.ones(2, dtype=torch.int64),
        torch.tensor([256.0, 720.0]),
        torch.zeros(64, 64, dtype=torch.bool),
    )


@pytest.fixture
def network(tiny_config: ModelConfig):
    """A network that calls everything an object, so that there are detections."""
    torch.manual_seed(0)
    changes = {"candidate_score": 0.0, "nms_iou": 0.5}
    return build_network(tiny_config.model_copy(update=changes))


def image() -> torch.Tensor:
    return (two_squares().label_map > 0).float().expand(2, 3, -1, -1).contiguous()


def test_only_the_quality_branch_gets_a_gradient(network):
    losses = QualityTraining(network)(image(), [two_squares()] * 2)
    assert set(losses) == {"quality"}
    losses["quality"].backward()
    moved = {n for n, p in network.named_parameters() if p.grad is not None}
    assert moved == {
        n for n, _ in network.named_parameters() if n.startswith("mask_branch.quality.")
    }


def test_what_is_no_object_shall_have_no_quality(network):
    nothing = replace(
        two_squares(),
        label_map=torch.zeros(64, 64, dtype=torch.int32),
        boxes=torch.zeros(0, 4),
        class_ids=torch.zeros(0, dtype=torch.int64),
        areas=torch.zeros(0),
    )
    training = QualityTraining(network)
    optimizer = torch.optim.Adam(network.mask_branch.quality.parameters(), 1e-3)
    losses = []
    for _ in range(30):
        loss = training(image(), [nothing] * 2)["quality"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.1 * losses[0]
    found, _ = network(image()).detections
    assert len(found) > 0
    assert float(found.qualities.max()) < 0.3


def test_of_the_unknown_nothing_is_learnt(network):
    unknown = replace(two_squares(), ignore=torch.ones(64, 64, dtype=torch.bool))
    loss = QualityTraining(network)(image(), [unknown] * 2)["quality"]
    assert loss.item() == 0


def test_a_network_without_the_branch_is_refused(tiny_config: ModelConfig):
    plain = build_network(tiny_config.model_copy(update={"variant": "maskrcnn"}))
    with pytest.raises(ValueError, match="no quality branch; use variant 'pffnet'"):
        QualityTraining(plain)
