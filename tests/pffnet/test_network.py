"""The whole network: losses by name, detections, and the cases at the edge."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from napari_pffnet.build import build_network
from napari_pffnet.config import SMALL, LossWeights, ModelConfig
from napari_pffnet.data.targets import image_target
from napari_pffnet.pffnet.structures import ImageTarget, NetworkOutput

if TYPE_CHECKING:
    from torch import Tensor, nn

INSTANCE_LOSSES = {"rpn_objectness", "rpn_box", "box_class", "box_regression", "mask"}
LOSSES = {
    "maskrcnn": INSTANCE_LOSSES,
    "cellrcnn": INSTANCE_LOSSES | {"semantic"},
    "cellrcnn_v2": INSTANCE_LOSSES | {"semantic", "semantic_instance"},
    "pffnet": INSTANCE_LOSSES
    | {"semantic", "semantic_instance", "quality", "consistency"},
}


def squares(count: int, size: int, side: int = 8) -> ImageTarget:
    """Squares on a grid, with a gap of two pixels between them."""
    label_map = torch.zeros(size, size, dtype=torch.int32)
    corners = [
        (y, x)
        for y in range(0, size - side + 1, side + 2)
        for x in range(0, size - side + 1, side + 2)
    ][:count]
    assert len(corners) == count
    for number, (y, x) in enumerate(corners, 1):
        label_map[y : y + side, x : x + side] = number
    boxes = [[x, y, x + side, y + side] for y, x in corners]
    return ImageTarget(
        label_map,
        torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        torch.ones(count, dtype=torch.int64),
        torch.full((count,), float(side * side)),
        torch.zeros(size, size, dtype=torch.bool),
    )


def image_of(target: ImageTarget, channels: int = 3) -> Tensor:
    return (target.label_map > 0).float().expand(1, channels, -1, -1).contiguous()


def make(config: ModelConfig, **changes: object) -> nn.Module:
    torch.manual_seed(0)
    return build_network(ModelConfig(**{**config.model_dump(), **changes}))


def losses_of(
    network: nn.Module, image: Tensor, target: ImageTarget
) -> dict[str, Tensor]:
    torch.manual_seed(1)
    losses: dict[str, Tensor] = network.train()(image, [target] * len(image))
    return losses


@pytest.mark.parametrize("variant", LOSSES)
def test_each_variant_names_its_losses(tiny_config: ModelConfig, variant: str) -> None:
    target = squares(9, 64)
    losses = losses_of(make(tiny_config, variant=variant), image_of(target), target)
    assert set(losses) == LOSSES[variant]
    assert all(torch.isfinite(loss) and loss > 0 for loss in losses.values())


def test_weights_of_equation_5(tiny_config: ModelConfig) -> None:
    """alpha1 = 0.1 on both semantic losses, alpha2 = 1 on the consistency."""
    target = squares(9, 64)
    ones = LossWeights(semantic=1, semantic_instance=1)
    weighted = losses_of(make(tiny_config), image_of(target), target)
    plain = losses_of(make(tiny_config, loss_weights=ones), image_of(target), target)
    ratio = {name: (weighted[name] / plain[name]).item() for name in plain}
    assert ratio == pytest.approx(
        dict.fromkeys(plain, 1.0) | {"semantic": 0.1, "semantic_instance": 0.1}
    )


@pytest.mark.parametrize("fusion", ["replace", "sum", "attention"])
def test_every_fusion_kind_trains(tiny_config: ModelConfig, fusion: str) -> None:
    target = squares(9, 64)
    network = make(tiny_config, fusion=fusion)
    losses = losses_of(network, image_of(target), target)
    losses["semantic_instance"].backward()
    weight = network.get_parameter("mask_branch.generator.fc.weight")
    assert weight.grad is not None
    assert weight.grad.abs().sum() > 0


@pytest.mark.parametrize("detach", [False, True])
def test_fusion_reaches_the_mask_generator_unless_detached(
    tiny_config: ModelConfig, detach: bool
) -> None:
    target = squares(9, 64)
    network = make(tiny_config, fusion_detach=detach)
    losses_of(network, image_of(target), target)["semantic_instance"].backward()
    grad = network.get_parameter("mask_branch.generator.fc.weight").grad
    assert (grad is None or grad.abs().sum() == 0) == detach


def test_a_step_along_the_gradient_lowers_the_loss(tiny_config: ModelConfig) -> None:
    target = squares(9, 64)
    network = make(tiny_config)
    optimizer = torch.optim.AdamW(network.parameters(), 5e-3)
    totals = []
    for _ in range(36):
        total = sum(losses_of(network, image_of(target), target).values())
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        totals.append(total.item())
    # Single steps differ much between processors: other roundings, other proposals.
    assert np.mean(totals[-8:]) < 0.8 * totals[0]


@pytest.mark.parametrize("variant", LOSSES)
def test_an_image_without_objects_trains(
    tiny_config: ModelConfig, variant: str
) -> None:
    losses = losses_of(
        make(tiny_config, variant=variant), torch.rand(1, 3, 64, 64), squares(0, 64)
    )
    sum(losses.values()).backward()
    assert all(torch.isfinite(loss) for loss in losses.values())
    assert losses["mask"] == losses["box_regression"] == losses["rpn_box"] == 0


def test_images_with_and_without_objects_share_a_batch(
    tiny_config: ModelConfig,
) -> None:
    targets = [squares(0, 64), squares(9, 64), squares(4, 64)]
    images = torch.cat([image_of(t) for t in targets])
    network = make(tiny_config, quality_on_refined=True, quality_on_negatives=True)
    losses = network.train()(images, targets)
    assert all(torch.isfinite(loss) for loss in losses.values())


@pytest.mark.parametrize("variant", LOSSES)
def test_an_image_of_which_nothing_is_known_trains(
    tiny_config: ModelConfig, variant: str
) -> None:
    nothing = np.zeros((64, 64), np.int32)
    target = image_target(nothing, ignore=np.ones((64, 64), bool))
    network = make(tiny_config, variant=variant)
    losses = losses_of(network, torch.rand(1, 3, 64, 64), target)
    sum(losses.values()).backward()
    assert all(torch.isfinite(loss) for loss in losses.values())
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    assert all(gradient.isfinite().all() for gradient in gradients)


def test_two_thousand_objects_train_and_detect(tiny_config: ModelConfig) -> None:
    target = squares(2000, 512)
    network = make(tiny_config)
    losses = losses_of(network, image_of(target), target)
    assert all(torch.isfinite(loss) for loss in losses.values())
    with torch.inference_mode():
        assert len(network.eval()(image_of(target)).detections) == 1


def test_what_lies_under_the_ignore_map_changes_no_loss(
    tiny_config: ModelConfig,
) -> None:
    """Nothing or two objects in the lower half, which is ignored."""
    labels = squares(3, 128).label_map.numpy()
    ignore = np.zeros((128, 128), bool)
    ignore[64:] = True
    more = labels.copy()
    more[80:100, 20:40] = 4
    more[70:120, 60:110] = 5
    image = torch.rand(1, 3, 128, 128)
    network = make(tiny_config, rpn_batch_per_image=100_000, rois_per_image=100_000)
    empty, full = (
        losses_of(network, image, image_target(these, ignore=ignore))
        for these in (labels, more)
    )
    assert empty == full
    known = losses_of(network, image, image_target(labels))
    assert {name for name in known if known[name] != empty[name]} >= {
        "rpn_objectness",
        "box_class",
        "semantic",
        "semantic_instance",
        "consistency",
    }


@pytest.mark.parametrize("shape", [(64, 64), (1, 1), (65, 130), (96, 33)])
@pytest.mark.parametrize("variant", ["maskrcnn", "pffnet"])
def test_detections_of_any_image_size(
    tiny_config: ModelConfig, shape: tuple[int, int], variant: str
) -> None:
    network = make(tiny_config, variant=variant).eval()
    with torch.inference_mode():
        output: NetworkOutput = network(torch.rand(2, 3, *shape))
    assert len(output.detections) == 2
    for found in output.detections:
        assert found.mask_logits.shape[1:] == (28, 28)
        assert (found.boxes >= 0).all()
        assert (found.boxes[:, 2] <= shape[1]).all()
        assert (found.boxes[:, 3] <= shape[0]).all()
        assert (found.scores.diff() <= 0).all()
        assert (found.qualities.isnan() == (variant == "maskrcnn")).all()
    if variant == "pffnet":
        assert output.semantic_logits is not None
        assert output.semantic_logits.shape == (2, 2, *shape)
    else:
        assert output.semantic_logits is None


def test_an_image_ends_in_black_as_in_training(tiny_config: ModelConfig) -> None:
    network = make(tiny_config)
    image = torch.rand(1, 3, 70, 90)
    shown = network.standardise(image)
    assert shown.shape == (1, 3, 96, 96)
    black = torch.nn.functional.pad(image, (0, 6, 0, 26))
    assert torch.equal(shown, network.standardise(black))


def test_several_classes_and_channels(tiny_config: ModelConfig) -> None:
    target = squares(9, 64)
    class_ids = torch.tensor([1, 2, 3] * 3)
    network = make(tiny_config, classes=("a", "b", "c"), in_channels=5)
    image = image_of(target, 5)
    losses = losses_of(network, image, replace(target, class_ids=class_ids))
    assert set(losses) == LOSSES["pffnet"]
    with torch.inference_mode():
        output = network.eval()(image)
    assert output.semantic_logits.shape[1] == 4
    assert set(output.detections[0].class_ids.tolist()) <= {1, 2, 3}


def test_the_bundled_shape_fits_its_budget() -> None:
    network = build_network(ModelConfig(**SMALL))
    assert sum(p.numel() for p in network.parameters()) <= 24_000_000


@pytest.mark.parametrize("norm", ["group", "batch", "frozen_batch"])
def test_every_norm_trains(tiny_config: ModelConfig, norm: str) -> None:
    target = squares(9, 64)
    losses = losses_of(make(tiny_config, norm=norm), image_of(target), target)
    assert all(torch.isfinite(loss) for loss in losses.values())


def test_the_same_image_gives_the_same_detections(tiny_config: ModelConfig) -> None:
    network = make(tiny_config).eval()
    image = image_of(squares(9, 64))
    with torch.inference_mode():
        first, second = (network(image).detections[0] for _ in range(2))
    assert torch.equal(first.boxes, second.boxes)
    assert torch.equal(first.mask_logits, second.mask_logits)


def test_a_region_takes_nothing_from_what_lies_in_it(tiny_config: ModelConfig) -> None:
    network = make(tiny_config, candidate_score=0.0).eval()
    image = image_of(squares(9, 64))
    (every,) = network(image).detections
    region = torch.tensor([[20.0, -torch.inf, 40.0, 50.0]])
    (some,) = network(image, regions=region).detections
    x, y = ((every.boxes[:, i] + every.boxes[:, i + 2]) / 2 for i in (0, 1))
    wanted = every.select((x >= 20) & (x <= 40) & (y <= 50))
    assert 0 < len(some) < len(every)
    assert torch.equal(some.boxes, wanted.boxes)
    torch.testing.assert_close(some.mask_logits, wanted.mask_logits)
    torch.testing.assert_close(some.qualities, wanted.qualities)


def test_a_least_score_takes_nothing_from_the_others(tiny_config: ModelConfig) -> None:
    network = make(tiny_config, candidate_score=0.0).eval()
    with torch.no_grad():
        network.rpn.head.cls_logits.bias += 20  # every proposal is sure
    image = image_of(squares(9, 64))
    (every,) = network(image).detections
    least = float(every.scores.median())
    (some,) = network(image, least_score=least).detections
    wanted = every.select(every.scores >= least)
    assert 0 < len(some) < len(every)
    assert torch.equal(some.boxes, wanted.boxes)
    torch.testing.assert_close(some.mask_logits, wanted.mask_logits)


def test_boxes_vote_on_detections_unless_that_is_switched_off(tiny_model):
    images = torch.rand(1, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    found = []
    for iou in (0.3, 1.0):
        config = tiny_model.info.model.model_copy(
            update={"vote_iou": iou, "candidate_score": 0.0}
        )
        network = build_network(config).eval()
        network.load_state_dict(tiny_model.network.state_dict())
        found.append(network.detect(images).detections[0])
    voted, alone = found
    assert torch.equal(voted.scores, alone.scores)
    assert not torch.equal(voted.boxes, alone.boxes)
