"""Norms and blocks."""

import pytest
import torch

from napari_pffnet.pffnet.layers import conv_block, n_groups, norm_factory


@pytest.mark.parametrize(
    ("channels", "groups"),
    [(256, 32), (1024, 32), (128, 16), (64, 8), (32, 4), (16, 2), (24, 3), (8, 1)],
)
def test_groups_divide_the_channels_and_hold_at_least_eight(
    channels: int, groups: int
) -> None:
    assert n_groups(channels) == groups


def test_narrow_layers_fall_back_to_one_group() -> None:
    assert n_groups(6) == 1


@pytest.mark.parametrize("kernel", [1, 3, (5, 1)])
def test_a_block_keeps_the_size_and_rectifies(kernel: int | tuple[int, int]) -> None:
    block = conv_block(3, 16, kernel, norm=norm_factory("group"))
    out = block(torch.randn(2, 3, 9, 7))
    assert out.shape == (2, 16, 9, 7)
    assert (out >= 0).all()
    assert block[0].bias is None
