"""The mask-quality branch against table I and eq. 3 of paper 000."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from napari_pffnet.pffnet.box_branch import SampledRoIs
from napari_pffnet.pffnet.layers import norm_factory
from napari_pffnet.pffnet.mask_branch import MaskBranch, MaskOutput
from napari_pffnet.pffnet.quality import (
    MaskQualityBranch,
    mask_certainty,
    quality_loss,
    quality_targets,
)
from napari_pffnet.pffnet.structures import ImageTarget

GROUP = norm_factory("group")


def branch(in_channels=16, channels=16, hidden=8, norm=GROUP, **options):
    torch.manual_seed(0)
    return MaskQualityBranch(in_channels, channels, hidden, norm=norm, **options)


def boxes(count):
    """Boxes of 8 x 16 pixels."""
    return torch.tensor([[2.0, 3.0, 10.0, 19.0]]).expand(count, -1)


def test_output_sizes_are_those_of_table_1():
    table = {
        "conv1": (256, 14, 14),
        "conv2": (256, 14, 14),
        "conv3": (256, 14, 14),
        "conv4": (256, 7, 7),
        "fc1": (1024,),
        "fc2": (1024,),
        "fc3": (1,),
    }
    module, seen = branch(256, 256, 1024), {}
    for name in table:
        module.get_submodule(name).register_forward_hook(
            lambda _, args, out, name=name: seen.__setitem__(name, (args[0], out))
        )
    quality = module(torch.zeros(1, 256, 14, 14), torch.zeros(1, 28, 28), boxes(1))
    assert quality.shape == (1,)
    assert {name: tuple(out.shape[1:]) for name, (_, out) in seen.items()} == table
    assert seen["conv1"][0].shape == (1, 260, 14, 14)


def test_convolutions_have_the_parameters_of_table_1():
    convs = [m for m in branch().modules() if isinstance(m, nn.Conv2d)]
    assert [c.kernel_size for c in convs] == [(3, 3)] * 4
    assert [c.stride for c in convs] == [(1, 1)] * 3 + [(2, 2)]
    assert [c.padding for c in convs] == [(1, 1)] * 4


def test_the_mask_enters_as_probabilities_space_to_depth():
    module, seen = branch(), []
    module.conv1.register_forward_hook(lambda _, args, out: seen.append(args[0]))
    logits, features = torch.randn(2, 28, 28), torch.randn(2, 16, 14, 14)
    module(features, logits, boxes(len(logits)))
    assert seen[0][:, :16].equal(features)
    expected = F.pixel_unshuffle(logits.sigmoid()[:, None], 2)
    torch.testing.assert_close(seen[0][:, 16:], expected)


def test_quality_lies_between_0_and_1_and_leaves_the_mask_alone():
    logits = torch.randn(5, 28, 28, requires_grad=True)
    features = torch.randn(5, 16, 14, 14, requires_grad=True)
    module = branch()
    quality = module(features, logits, boxes(len(logits)))
    assert ((quality > 0) & (quality < 1)).all()
    before = module.logits(features, logits, boxes(5))
    torch.testing.assert_close(quality, before.sigmoid())
    quality.sum().backward()
    assert logits.grad is None
    assert features.grad.abs().max() > 0


def test_the_size_of_a_roi_can_be_told_and_changes_nothing_at_first():
    plain, module = branch(), branch(sees_size=True)
    missing, unexpected = module.load_state_dict(plain.state_dict(), strict=False)
    assert missing == ["size.weight", "size.bias"]
    assert not unexpected
    features, logits = torch.randn(3, 16, 14, 14), torch.randn(3, 28, 28)
    here = boxes(3)
    torch.testing.assert_close(
        module(features, logits, here), plain(features, logits, here)
    )
    module.size.weight.data.fill_(0.5)
    small, large = (module(features, logits, k * here) for k in (1, 4))
    assert not torch.allclose(small, large)


def test_the_certainty_is_the_mean_probability_of_the_mask():
    logits = torch.full((3, 4, 4), -9.0)
    logits[0, 1:3, 1:3] = 2.0
    logits[1, 0, :2] = torch.tensor([0.5, 1.5])
    expected = [2.0, float(torch.tensor([0.5, 1.5]).sigmoid().mean().logit()), 0.0]
    certainty = mask_certainty(logits.sigmoid())
    assert certainty.logit().tolist() == pytest.approx(expected, abs=1e-4)


def test_the_certainty_counts_as_much_as_it_weighs():
    plain, module = branch(), branch(sees_certainty=True)
    module.load_state_dict(plain.state_dict(), strict=False)
    features, logits = torch.randn(2, 16, 14, 14), torch.randn(2, 28, 28)
    before = plain.logits(features, logits, boxes(2))
    torch.testing.assert_close(module.logits(features, logits, boxes(2)), before)
    module.certainty_weight.fill_(0.7)
    added = module.logits(features, logits, boxes(2)) - before
    certainty = mask_certainty(logits.sigmoid()).logit()
    torch.testing.assert_close(added, 0.7 * certainty)


def halves(columns, scale=5.0):
    """Return mask logits, positive in the first columns of 28."""
    logits = torch.full((1, 28, 28), -scale)
    logits[..., :columns] = scale
    return logits


FULL = torch.ones(1, 28, 28)
BOX = torch.tensor([[2.0, 3.0, 16.0, 24.0]])  # 14 x 21 = 294 pixels


@pytest.mark.parametrize(
    ("columns", "true_area", "expected"),
    [
        (28, 294.0, 1.0),  # perfect
        (14, 294.0, (2 / 3 + 1 / 2) / 2),  # half of it: Dice 147 / 220.5, IoU 1/2
        (28, 588.0, (2 / 3 + 1 / 2) / 2),  # as much again lies outside the box
        (7, 294.0, (2 / 5 + 1 / 4) / 2),  # a quarter
        (0, 294.0, 0.0),  # nothing
    ],
)
def test_target_is_the_mean_of_dice_and_iou(columns, true_area, expected):
    target = quality_targets(halves(columns), FULL, BOX, torch.tensor([true_area]))
    torch.testing.assert_close(target, torch.tensor([expected]))


def test_too_much_mask_costs_quality():
    half_true = (halves(14) > 0).float()
    target = quality_targets(halves(28), half_true, BOX, torch.tensor([147.0]))
    torch.testing.assert_close(target, torch.tensor([(2 / 3 + 1 / 2) / 2]))


def test_half_a_disc_with_a_perfect_mask_in_its_box_gets_058():
    """Disc of radius 20 around (20, 20); the box ends at its middle, x = 20."""
    y, x = torch.meshgrid(*[(torch.arange(28) + 0.5) / 28] * 2, indexing="ij")
    inside = (x * 20 - 20) ** 2 + (y * 40 - 20) ** 2 < 20**2
    logits = torch.where(inside, 3.0, -3.0)[None]
    box = torch.tensor([[0.0, 0.0, 20.0, 40.0]])
    area = torch.tensor([torch.pi * 20**2])
    target = quality_targets(logits, inside[None].float(), box, area)
    assert target.item() == pytest.approx(7 / 12, abs=0.005)


def test_what_is_not_known_does_not_count_in_the_target():
    """Of an object as large as its box the right half is ignored."""
    known = (halves(14) > 0).float()
    area = torch.tensor([147.0])
    target = quality_targets(halves(28), known, BOX, area, known)
    torch.testing.assert_close(target, torch.tensor([1.0]))
    target = quality_targets(halves(7), known, BOX, area, known)
    torch.testing.assert_close(target, torch.tensor([(2 / 3 + 1 / 2) / 2]))


def test_a_good_mask_at_the_edge_of_the_known_is_learnt_as_good():
    labels, ignore = torch.zeros(40, 40, dtype=torch.int32), torch.zeros(40, 40)
    labels[10:30, 10:30] = 1
    ignore[:, 20:] = 1
    box = torch.tensor([[10.0, 10.0, 30.0, 30.0]])
    zero, one = torch.zeros(1, dtype=torch.long), torch.ones(1, dtype=torch.long)
    # As in training, the label map is 0 where nothing is known.
    target = ImageTarget(
        labels.masked_fill(ignore.bool(), 0),
        box,
        one,
        torch.tensor([200.0]),
        ignore > 0,
    )
    rois = SampledRoIs(box, zero, zero, one, torch.ones(1))
    output = MaskOutput(torch.zeros(1, 1, 14, 14), halves(28)[:, None], box)
    masks = MaskBranch(torch.nn.Identity(), None, chunk=1)
    _, examples = masks.examples(output, rois, [target])
    assert examples.wanted.item() == pytest.approx(1, abs=0.01)


def test_target_follows_a_count_of_pixels():
    """Cells of one pixel: eq. 3 counted, with 30 object pixels outside the box."""
    torch.manual_seed(0)
    mask, truth = torch.rand(2, 4, 28, 28) > 0.4
    boxes = torch.tensor([[5.0, 6.0, 33.0, 34.0]]).expand(4, -1)
    areas = truth.sum((1, 2)) + 30.0
    target = quality_targets(mask.float() - 0.5, truth.float(), boxes, areas)
    for i in range(4):
        common = int((mask[i] & truth[i]).sum())
        union = int((mask[i] | truth[i]).sum()) + 30
        dice = 2 * common / (int(mask[i].sum()) + int(truth[i].sum()) + 30)
        assert target[i].item() == pytest.approx((dice + common / union) / 2, rel=1e-5)


def test_target_looks_only_at_the_sign_of_the_logits_and_has_no_gradient():
    weak, strong = halves(14, 0.01).requires_grad_(), halves(14, 50.0)
    area = torch.tensor([294.0])
    target = quality_targets(weak, FULL, BOX, area)
    assert target.equal(quality_targets(strong, FULL, BOX, area))
    assert not target.requires_grad


def test_target_stays_within_1_when_sampling_counts_too_much():
    target = quality_targets(halves(28), FULL, BOX, torch.tensor([280.0]))
    assert target.item() < 1


def test_loss_is_the_mean_squared_error():
    loss = quality_loss(torch.tensor([0.5, 0.9]).logit(), torch.tensor([0.0, 0.8]))
    assert loss.item() == pytest.approx((0.25 + 0.01) / 2)


def test_cross_entropy_is_least_at_the_target_and_its_gradient_does_not_fade():
    logits = torch.tensor([0.95, 0.6]).logit().requires_grad_()
    targets = torch.tensor([0.9, 0.55])
    quality_loss(logits, targets, "bce").backward()
    torch.testing.assert_close(logits.grad, torch.tensor([0.025, 0.025]))
    best = quality_loss(targets.logit(), targets, "bce")
    assert best < quality_loss(logits.detach(), targets, "bce")


@pytest.mark.parametrize("kind", ["group", "batch", "frozen_batch"])
def test_no_roi_gives_no_quality_and_a_loss_of_0(kind):
    module = branch(norm=norm_factory(kind))
    logits = torch.zeros(0, 28, 28)
    quality = module.logits(torch.zeros(0, 16, 14, 14), logits, boxes(0))
    targets = quality_targets(logits, logits, torch.zeros(0, 4), torch.zeros(0))
    loss = quality_loss(quality, targets)
    loss.backward()
    assert quality.shape == targets.shape == (0,)
    assert loss.item() == 0
    assert not module.fc1[0].weight.grad.any()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_changes_quality_only_by_rounding(dtype):
    module, features = branch(), torch.randn(3, 16, 14, 14)
    exact = module(features, torch.zeros(3, 28, 28), boxes(3))
    with torch.autocast("cpu", dtype):
        rounded = module(features.to(dtype), torch.zeros(3, 28, 28), boxes(3))
    assert rounded.dtype == torch.float32
    torch.testing.assert_close(rounded, exact, atol=0.02, rtol=0)
