"""Mask generators: one mask for each RoI, whatever its class."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from napari_pffnet.pffnet.layers import NormFactory, conv_block

ROI_SIZE = 14
"""Side of the RoI features that enter a generator, cells."""
MASK_SIZE = 2 * ROI_SIZE
"""Side of the masks that leave it, cells."""


def object_logits(logits: Tensor) -> Tensor:
    """Return the object's logits (R, M, M) of mask logits (R, 1 or 2, M, M)."""
    return logits[:, -1]


class _Reshape(nn.Module):
    """784 values as a map, the same for background and object ("Reshape1")."""

    def forward(self, values: Tensor) -> Tensor:
        square = values.reshape(-1, 1, MASK_SIZE, MASK_SIZE)
        return square.expand(-1, 2, -1, -1)


class _PixelShuffle(nn.Module):
    """Four channels become 2 x 2 cells ("Reshape2").

    ``nn.PixelShuffle`` has no gradient for an empty batch, and returns maps that the
    next convolution copies once more, to have their channels last.
    """

    def forward(self, x: Tensor) -> Tensor:
        r, c, h, w = x.shape
        blocks = x.permute(0, 2, 3, 1).reshape(r, h, w, c // 4, 2, 2)
        fine = blocks.permute(0, 1, 4, 2, 5, 3).reshape(r, 2 * h, 2 * w, c // 4)
        return fine.permute(0, 3, 1, 2)


class DualModalMaskGenerator(nn.Module):
    """Sum of a fully connected and a spatial path (paper 002, 3.1 and table 1).

    The sub-modules are called as the rows of the table.

    Parameters
    ----------
    in_channels
        Channels of the RoI features; 256 in the paper.
    channels
        Width of the convolutions; 256 in the paper.
    fc_channels
        Channels that enter the fully connected layer; 128 in the paper.
    norm
        Norm behind each hidden convolution.
    """

    def __init__(
        self, in_channels: int, channels: int, fc_channels: int, *, norm: NormFactory
    ) -> None:
        super().__init__()
        self.conv_x3 = nn.Sequential(
            conv_block(in_channels, channels, norm=norm),
            conv_block(channels, channels, norm=norm),
            conv_block(channels, channels, norm=norm),
        )
        self.conv1 = conv_block(channels, channels, norm=norm)
        self.conv2 = conv_block(channels, fc_channels, norm=norm)
        self.fc = nn.Linear(fc_channels * ROI_SIZE**2, MASK_SIZE**2)
        self.reshape1 = _Reshape()
        self.conv3 = conv_block(channels, channels, norm=norm)
        self.conv4 = conv_block(channels, 4 * channels, norm=norm)
        self.reshape2 = _PixelShuffle()
        self.conv5 = nn.Conv2d(channels, 2, 1)
        self.to(memory_format=torch.channels_last)

    def forward(self, roi_features: Tensor) -> Tensor:
        """Return mask logits (R, 2, 28, 28): background, object.

        Parameters
        ----------
        roi_features
            (R, in_channels, 14, 14); R may be 0.
        """
        # As its weights are: a CPU is a tenth faster with it.
        x = roi_features.contiguous(memory_format=torch.channels_last)
        shared = self.conv_x3(x)
        flat = self.conv2(self.conv1(shared)).flatten(1)
        whole: Tensor = self.reshape1(self.fc(flat))
        detail: Tensor = self.conv5(self.reshape2(self.conv4(self.conv3(shared))))
        return whole + detail


class PlainMaskHead(nn.Module):
    """Mask head of Mask R-CNN, class-agnostic, for the baselines.

    Parameters
    ----------
    in_channels
        Channels of the RoI features.
    channels
        Width of the head.
    norm
        Norm behind each of the four convolutions.
    """

    def __init__(self, in_channels: int, channels: int, *, norm: NormFactory) -> None:
        super().__init__()
        self.convs = nn.Sequential(
            conv_block(in_channels, channels, norm=norm),
            *(conv_block(channels, channels, norm=norm) for _ in range(3)),
        )
        self.upscale = nn.ConvTranspose2d(channels, channels, 2, 2)
        nn.init.kaiming_normal_(self.upscale.weight, nonlinearity="relu")
        self.output = nn.Conv2d(channels, 1, 1)

    def forward(self, roi_features: Tensor) -> Tensor:
        """Return mask logits (R, 1, 28, 28) of features (R, in_channels, 14, 14)."""
        # Otherwise a CPU copies the maps twice to deconvolve them.
        x = roi_features.contiguous(memory_format=torch.channels_last)
        fine = torch.relu_(self.upscale(self.convs(x)))
        logits: Tensor = self.output(fine)
        return logits
