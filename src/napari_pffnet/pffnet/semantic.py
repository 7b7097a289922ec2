"""Semantic maps: the GCN branch and the semantic head of the instance branch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_pffnet.pffnet.layers import NormFactory, conv_block

if TYPE_CHECKING:
    from collections.abc import Sequence


def _resize(x: Tensor, size: Sequence[int]) -> Tensor:
    return F.interpolate(x, size=list(size), mode="bilinear", align_corners=False)


class GlobalConvolution(nn.Module):
    """A large kernel as two pairs of 1-D kernels, summed (paper 000, III-A).

    Parameters
    ----------
    in_channels, channels
        Channels before and after.
    kernel
        Side of the kernel that the pairs stand for; 5 in the papers.
    norm
        Norm behind the sum; there is no ReLU, as in the original GCN.
    """

    def __init__(
        self, in_channels: int, channels: int, kernel: int = 5, *, norm: NormFactory
    ) -> None:
        super().__init__()
        pad = kernel // 2
        self.column_row = nn.Sequential(
            nn.Conv2d(in_channels, channels, (kernel, 1), padding=(pad, 0)),
            nn.Conv2d(channels, channels, (1, kernel), padding=(0, pad), bias=False),
        )
        self.row_column = nn.Sequential(
            nn.Conv2d(in_channels, channels, (1, kernel), padding=(0, pad)),
            nn.Conv2d(channels, channels, (kernel, 1), padding=(pad, 0), bias=False),
        )
        self.norm = norm(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, channels, Y, X) of (B, in_channels, Y, X)."""
        out: Tensor = self.norm(self.column_row(x) + self.row_column(x))
        return out


class BoundaryRefinement(nn.Module):
    """Residual block of two 3x3 convolutions."""

    def __init__(self, channels: int, *, norm: NormFactory) -> None:
        super().__init__()
        self.hidden = conv_block(channels, channels, norm=norm)
        self.residual = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Return a map of the same shape."""
        change: Tensor = self.residual(self.hidden(x))
        return x + change


class GCNSemanticBranch(nn.Module):
    """Decoder of the global convolutional network (paper 002, 3.2; 000, fig. 3).

    Parameters
    ----------
    in_channels
        Channels of C2, C3, C4 and C5.
    channels
        Width of the decoder.
    n_outputs
        Classes with background.
    norm
        Norm behind the hidden convolutions.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        channels: int,
        n_outputs: int,
        *,
        norm: NormFactory,
    ) -> None:
        super().__init__()
        self.laterals = nn.ModuleList(
            nn.Sequential(
                GlobalConvolution(c, channels, norm=norm),
                BoundaryRefinement(channels, norm=norm),
            )
            for c in in_channels
        )
        self.merged = nn.ModuleList(
            BoundaryRefinement(channels, norm=norm) for _ in in_channels[:-1]
        )
        self.output = nn.Conv2d(channels, n_outputs, 1)

    def forward(self, features: Sequence[Tensor], size: Sequence[int]) -> Tensor:
        """Return semantic logits (B, n_outputs, Y, X).

        Parameters
        ----------
        features
            C2 to C5, each (B, C, y, x), finest first.
        size
            Y, X of the (padded) image.
        """
        skips = [lateral(c) for lateral, c in zip(self.laterals, features, strict=True)]
        x: Tensor = skips[-1]
        for skip, refine in zip(skips[-2::-1], reversed(self.merged), strict=True):
            x = refine(skip + _resize(x, skip.shape[-2:]))
        # Bilinear logits have no blocks; the authors' nearest x4 shows them.
        return _resize(self.output(x), size)


_SCALE = 4
"""Image pixels along a side of a cell of P2."""


def _phase_taps() -> Tensor:
    """Return (4, 3, 3) of 0 and 1: phase, neighbouring cell, tap of the kernel.

    Tap t of a 3-wide kernel at phase p of an upsampled cell reads the previous
    cell (0), the cell itself (1) or the next one (2).
    """
    cell = (torch.arange(_SCALE)[:, None] + torch.arange(3) - 1).div(
        _SCALE, rounding_mode="floor"
    ) + 1
    return F.one_hot(cell, 3).transpose(1, 2).float()


class InstanceSemanticHead(nn.Module):
    """P2 -> nearest x4 -> 3x3 convolution = F0 (paper 002, 3.1 and fig. 3).

    Computed at the resolution of P2: the taps of the kernel that read the same
    cell are added beforehand, one kernel for each of the 16 positions within a
    cell.  The result is identical, and no upsampled P2 is ever stored.

    Parameters
    ----------
    in_channels
        Channels of P2.
    n_outputs
        Classes with background.
    """

    phase_taps: Tensor

    def __init__(self, in_channels: int, n_outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, n_outputs, 3, padding=1)
        self.register_buffer("phase_taps", _phase_taps(), persistent=False)

    def forward(self, p2: Tensor) -> Tensor:
        """Return F0 (B, n_outputs, 4 y, 4 x) of P2 (B, in_channels, y, x)."""
        taps, weight = self.phase_taps, self.conv.weight
        kernels = torch.einsum("oits,pat,qbs->opqiab", weight, taps, taps)
        phases = F.conv2d(p2, kernels.flatten(0, 2), padding=1)
        logits = F.pixel_shuffle(phases, _SCALE)
        bias = self.conv.bias
        return logits if bias is None else logits + bias[:, None, None]
