"""The mask generators against table 1 and figure 4 of paper 002."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from napari_pffnet.pffnet.layers import norm_factory
from napari_pffnet.pffnet.masks import (
    DualModalMaskGenerator,
    PlainMaskHead,
    object_logits,
)

GROUP = norm_factory("group")


@pytest.fixture
def generator():
    torch.manual_seed(0)
    return DualModalMaskGenerator(16, 16, 4, norm=GROUP)


@pytest.fixture
def features():
    return torch.randn(3, 16, 14, 14, generator=torch.Generator().manual_seed(1))


def record(module, names):
    """Keep the inputs and outputs of sub-modules."""
    seen = {}
    for name in names:
        module.get_submodule(name).register_forward_hook(
            lambda _, args, out, name=name: seen.__setitem__(name, (args[0], out))
        )
    return seen


def test_output_sizes_are_those_of_table_1():
    table = {
        "conv_x3": (256, 14, 14),
        "conv1": (256, 14, 14),
        "conv2": (128, 14, 14),
        "fc": (784,),
        "reshape1": (2, 28, 28),
        "conv3": (256, 14, 14),
        "conv4": (1024, 14, 14),
        "reshape2": (256, 28, 28),
        "conv5": (2, 28, 28),
    }
    generator = DualModalMaskGenerator(256, 256, 128, norm=GROUP)
    seen = record(generator, table)
    assert generator(torch.zeros(1, 256, 14, 14)).shape == (1, 2, 28, 28)
    assert {name: tuple(out.shape[1:]) for name, (_, out) in seen.items()} == table


def test_convolutions_have_the_parameters_of_table_1(generator):
    convs = [
        (name, m) for name, m in generator.named_modules() if isinstance(m, nn.Conv2d)
    ]
    assert len(convs) == 8  # three, then Conv1 to Conv5
    for name, conv in convs:
        k, p = (1, 0) if name == "conv5" else (3, 1)
        assert conv.kernel_size == (k, k)
        assert (conv.stride, conv.padding) == ((1, 1), (p, p))


def test_both_paths_start_from_the_three_shared_convolutions(generator, features):
    seen = record(generator, ["conv_x3", "conv1", "conv3"])
    generator(features)
    shared = seen["conv_x3"][1]
    assert seen["conv1"][0] is shared
    assert seen["conv3"][0] is shared


def test_masks_are_the_pixelwise_sum_of_both_paths(generator, features):
    seen = record(generator, ["fc", "conv5"])
    masks = generator(features)
    whole = seen["fc"][1].reshape(-1, 28, 28)
    detail = seen["conv5"][1]
    torch.testing.assert_close(masks[:, 0], whole + detail[:, 0])
    torch.testing.assert_close(masks[:, 1], whole + detail[:, 1])
    assert object_logits(masks).equal(masks[:, 1])


def test_the_second_reshape_is_a_pixel_shuffle(generator, features):
    x = torch.randn(2, 8, 3, 5)
    assert generator.reshape2(x).equal(nn.PixelShuffle(2)(x))


def test_hidden_convolutions_have_a_norm_and_outputs_none(generator):
    norms = [n for n, m in generator.named_modules() if isinstance(m, nn.GroupNorm)]
    parts = [name.split(".")[0] for name in norms]
    assert sorted(parts) == sorted(
        ["conv_x3"] * 3 + ["conv1", "conv2", "conv3", "conv4"]
    )


def fc_gradient(generator, features, loss):
    generator.zero_grad()
    loss(generator(features)).backward()
    return generator.fc.weight.grad.clone()


def test_the_mask_loss_teaches_the_fc_path(generator, features):
    left, right = torch.zeros(2, 3, 28, 28)
    left[..., :14] = 1
    right[..., 14:] = 1
    gradients = [
        fc_gradient(
            generator,
            features,
            lambda m, t=target: F.binary_cross_entropy_with_logits(object_logits(m), t),
        )
        for target in (left, right)
    ]
    assert all(g.abs().max() > 1e-4 for g in gradients)
    # Row 0 of the FC makes cell (0, 0): object in one target, not in the other.
    assert gradients[0][0].abs().max() > 1e-4
    assert (gradients[0] - gradients[1]).abs().max() > 1e-4


def test_a_softmax_over_both_channels_would_not_teach_it(generator, features):
    """Why the mask loss looks at the object's channel alone."""
    target = torch.ones(3, 28, 28, dtype=torch.long)
    gradient = fc_gradient(generator, features, lambda m: F.cross_entropy(m, target))
    assert gradient.abs().max() < 1e-7


def test_plain_head_is_the_one_of_mask_rcnn(features):
    head = PlainMaskHead(16, 16, norm=GROUP)
    kernels = [m.kernel_size for m in head.modules() if isinstance(m, nn.Conv2d)]
    assert kernels == [(3, 3)] * 4 + [(1, 1)]
    assert head(features).shape == (3, 1, 28, 28)
    assert object_logits(head(features)).shape == (3, 28, 28)


@pytest.mark.parametrize("kind", ["group", "batch", "frozen_batch"])
@pytest.mark.parametrize("plain", [False, True])
def test_no_roi_gives_no_mask_and_no_gradient(kind, plain):
    norm = norm_factory(kind)
    head = (
        PlainMaskHead(16, 16, norm=norm)
        if plain
        else DualModalMaskGenerator(16, 16, 4, norm=norm)
    )
    masks = head(torch.zeros(0, 16, 14, 14))
    assert masks.shape == (0, 1 if plain else 2, 28, 28)
    masks.sum().backward()
    assert all(not p.grad.any() for p in head.parameters() if p.grad is not None)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_changes_masks_only_by_rounding(generator, features, dtype):
    exact = generator(features)
    with torch.autocast("cpu", dtype):
        rounded = generator(features)
    torch.testing.assert_close(rounded.float(), exact, atol=0.1, rtol=0)
