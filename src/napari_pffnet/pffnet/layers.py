"""Norms and blocks that all parts of the network share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from torch import nn
from torchvision.ops import FrozenBatchNorm2d

from napari_pffnet.pffnet.norms import ImageNorm

NormFactory = Callable[[int], nn.Module]
"""Makes the norm for a number of channels."""


def n_groups(channels: int) -> int:
    """Return the largest number of groups <= 32 that leaves >= 8 channels each.

    Fewer than 8 values a group at one pixel make GroupNorm unstable on small
    inputs; narrow layers fall back to one group.
    """
    fitting = (g for g in range(32, 0, -1) if channels % g == 0 and channels // g >= 8)
    return next(fitting, 1)


def _group_norm(channels: int) -> nn.Module:
    return ImageNorm(n_groups(channels), channels)


def norm_factory(kind: Literal["group", "batch", "frozen_batch"]) -> NormFactory:
    """Return the constructor of the norm called ``kind``."""
    factories: dict[str, NormFactory] = {
        "group": _group_norm,
        "batch": nn.BatchNorm2d,
        "frozen_batch": FrozenBatchNorm2d,
    }
    return factories[kind]


def conv_block(
    in_channels: int,
    out_channels: int,
    kernel: int | tuple[int, int] = 3,
    *,
    norm: NormFactory,
    stride: int = 1,
) -> nn.Sequential:
    """Return convolution ("same" padding), norm and ReLU.

    The convolution has no bias: the norm has one.
    """
    size = (kernel, kernel) if isinstance(kernel, int) else kernel
    padding = (size[0] // 2, size[1] // 2)
    conv = nn.Conv2d(in_channels, out_channels, size, stride, padding, bias=False)
    nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
    return nn.Sequential(conv, norm(out_channels), nn.ReLU(inplace=True))
