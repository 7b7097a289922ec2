"""The semantic parts against section 3 of paper 002 and figure 3 of paper 000."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from napari_pffnet.pffnet.layers import norm_factory
from napari_pffnet.pffnet.semantic import (
    BoundaryRefinement,
    GCNSemanticBranch,
    GlobalConvolution,
    InstanceSemanticHead,
)

GROUP = norm_factory("group")
CHANNELS = (8, 8, 16, 16)


@pytest.fixture
def branch():
    torch.manual_seed(0)
    return GCNSemanticBranch(CHANNELS, 8, 3, norm=GROUP)


def features(height=64, width=96, batch=2):
    torch.manual_seed(1)
    return [
        torch.randn(batch, c, height // s, width // s, requires_grad=True)
        for c, s in zip(CHANNELS, (4, 8, 16, 32), strict=True)
    ]


def test_large_kernels_are_1d_pairs_in_both_orders():
    module = GlobalConvolution(4, 8, norm=GROUP)
    assert [c.kernel_size for c in module.column_row] == [(5, 1), (1, 5)]
    assert [c.kernel_size for c in module.row_column] == [(1, 5), (5, 1)]


def test_a_large_kernel_sees_5_by_5_pixels_and_no_more():
    module = GlobalConvolution(1, 8, norm=lambda _: nn.Identity())
    x = torch.zeros(1, 1, 11, 11, requires_grad=True)
    module(x)[0, :, 5, 5].sum().backward()
    seen = torch.zeros(11, 11, dtype=torch.bool)
    seen[3:8, 3:8] = True
    assert (x.grad[0, 0] != 0).equal(seen)


def test_boundary_refinement_is_residual():
    module = BoundaryRefinement(8, norm=GROUP)
    x = torch.randn(1, 8, 6, 6)
    assert not module(x).equal(x)
    nn.init.zeros_(module.residual.weight)
    nn.init.zeros_(module.residual.bias)
    assert module(x).equal(x)


def test_branch_returns_logits_at_image_resolution_from_all_levels(branch):
    levels = features()
    logits = branch(levels, (64, 96))
    assert logits.shape == (2, 3, 64, 96)
    logits.square().sum().backward()
    assert all(level.grad.abs().max() > 0 for level in levels)


def test_branch_shows_no_blocks(branch):
    logits = branch(features(), (64, 96))
    # Away from the rim, where bilinear maps are constant over two pixels.
    inner = logits[..., 2:-2, 2:-2]
    assert (inner.diff(dim=-1).abs() > 1e-6).float().mean() > 0.99
    assert (inner.diff(dim=-2).abs() > 1e-6).float().mean() > 0.99


def test_branch_does_not_shift_the_map(branch):
    """Cell i of stride 4 has its centre at 4 i + 2, pixel j at j + 0.5."""
    centres = (torch.arange(24.0) * 4 + 2).expand(2, 3, 16, 24)
    branch.output.register_forward_hook(lambda *_: centres)
    logits = branch(features(), (64, 96))
    torch.testing.assert_close(logits[0, 0, 7, 2:-2], torch.arange(96)[2:-2] + 0.5)


def test_head_is_nearest_x4_then_a_3x3_convolution():
    head = InstanceSemanticHead(16, 3)
    p2 = torch.randn(2, 16, 5, 7, requires_grad=True)
    literal = head.conv(F.interpolate(p2, scale_factor=4, mode="nearest"))
    fast = head(p2)
    assert head.conv.kernel_size == (3, 3)
    torch.testing.assert_close(fast, literal, atol=1e-5, rtol=1e-5)

    weights = torch.randn_like(literal)
    leaves = [p2, head.conv.weight, head.conv.bias]
    expected = torch.autograd.grad((literal * weights).sum(), leaves)
    gradient = torch.autograd.grad((fast * weights).sum(), leaves)
    for got, wanted in zip(gradient, expected, strict=True):
        torch.testing.assert_close(got, wanted, atol=1e-3, rtol=1e-4)


def test_only_the_weights_of_the_papers_are_stored():
    names = set(InstanceSemanticHead(16, 3).state_dict())
    assert names == {"conv.weight", "conv.bias"}


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_changes_maps_only_by_rounding(branch, dtype):
    head = InstanceSemanticHead(8, 3)
    levels = features()
    exact = branch(levels, (64, 96)), head(levels[0])
    with torch.autocast("cpu", dtype):
        rounded = branch(levels, (64, 96)), head(levels[0])
    for a, b in zip(exact, rounded, strict=True):
        torch.testing.assert_close(b.float(), a, atol=0.1, rtol=0.05)
