"""ResNet and feature pyramid (section III-A of the PFFNet paper)."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torchvision.ops.feature_pyramid_network import (
    FeaturePyramidNetwork,
    LastLevelMaxPool,
)

if TYPE_CHECKING:
    import torchvision

    from napari_pffnet.pffnet.layers import NormFactory

STRIDES = (4, 8, 16, 32, 64)
"""Pixels of the image a cell of P2..P6 stands for."""


@dataclass(frozen=True, slots=True)
class Features:
    """Feature maps of a batch: C2..C5 of the ResNet and P2..P6 of the pyramid."""

    c: list[Tensor]
    p: list[Tensor]


class Backbone(nn.Module):
    """ResNet + FPN: (B, C, Y, X) images to five pyramid levels.

    Parameters
    ----------
    resnet
        A torchvision ResNet; its classifier is not used.
    out_channels
        Channels of every pyramid level.
    norm
        Norm of the pyramid's convolutions.
    """

    def __init__(
        self, resnet: torchvision.models.ResNet, out_channels: int, norm: NormFactory
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(resnet.conv1, resnet.bn1, resnet.relu, resnet.maxpool)
        self.stages = nn.ModuleList(
            [resnet.layer1, resnet.layer2, resnet.layer3, resnet.layer4]
        )
        widest = resnet.fc.in_features
        self.stage_channels = [widest // 8, widest // 4, widest // 2, widest]
        self.fpn = FeaturePyramidNetwork(
            self.stage_channels, out_channels, LastLevelMaxPool(), norm
        )

    def forward(self, images: Tensor) -> Features:
        """Return C2..C5 and P2..P6 of images with sides divisible by 32."""
        stages = []
        # Twice: maps of one channel have no layout that could be handed on.
        x = _channels_last(self.stem(_channels_last(images)))
        for stage in self.stages:
            x = stage(x)
            stages.append(x)
        named = OrderedDict((str(i), c) for i, c in enumerate(stages))
        return Features(stages, list(self.fpn(named).values()))


def _channels_last(maps: Tensor) -> Tensor:
    """Return (B, C, Y, X) maps with their channels side by side in memory, on a CPU.

    It convolves a fifth faster so, and pooling would else copy them each time.
    """
    if maps.device.type != "cpu":
        return maps
    return maps.contiguous(memory_format=torch.channels_last)
