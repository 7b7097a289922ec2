"""GroupNorm of a whole image where the network sees only a tile of it.

GroupNorm takes mean and variance from all that it sees, so the same object looks
different to a network in different tiles.  With the statistics of a sample of the image
held, all tiles agree with each other and, nearly, with the whole image.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


@dataclass(frozen=True, slots=True)
class Moments:
    """Mean and variance of each group of channels, (G,) float32 each."""

    mean: Tensor
    variance: Tensor


class ImageNorm(nn.GroupNorm):
    """GroupNorm that can be told its statistics; until then it takes its own."""

    held: Moments | None = None
    is_measured: bool = False

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (B, C, Y, X)."""
        if self.is_measured:
            self.held = _moments(x, self.num_groups)
        if self.held is None:
            return super().forward(x)
        per_group = x.shape[1] // self.num_groups
        mean, variance = (
            values.to(x.device).repeat_interleave(per_group)
            for values in (self.held.mean, self.held.variance)
        )
        scale = self.weight * torch.rsqrt(variance + self.eps)
        shift = self.bias - mean * scale
        return torch.addcmul(shift[:, None, None], x.float(), scale[:, None, None])


def measure(network: nn.Module, look: Callable[[], object]) -> dict[str, Moments]:
    """Return the statistics of each `ImageNorm` that ``look`` uses, by its name.

    Parameters
    ----------
    network
        Its norms are told apart by their names in it.
    look
        Runs a batch through the network, whose images count as one.
    """
    norms = _norms(network)
    try:
        for norm in norms.values():
            norm.is_measured = True
        look()
        return {n: norm.held for n, norm in norms.items() if norm.held is not None}
    finally:
        for norm in norms.values():
            norm.is_measured, norm.held = False, None


@contextmanager
def holding(network: nn.Module, moments: Mapping[str, Moments]) -> Iterator[None]:
    """Let the norms of a network use what `measure` returned, within the block."""
    norms = _norms(network)
    try:
        for name, known in moments.items():
            norms[name].held = known
        yield
    finally:
        for name in moments:
            norms[name].held = None


def _norms(network: nn.Module) -> dict[str, ImageNorm]:
    return {n: m for n, m in network.named_modules() if isinstance(m, ImageNorm)}


def _moments(x: Tensor, groups: int) -> Moments:
    """Return the statistics of (B, C, Y, X) over the whole batch."""
    grouped = x.float().reshape(x.shape[0], groups, -1)
    # On the CPU, as Apple's GPUs have no double precision.
    variances, means = (
        values.cpu().double() for values in torch.var_mean(grouped, dim=2, correction=0)
    )
    mean = means.mean(0)
    variance = (variances + means.square()).mean(0) - mean.square()
    return Moments(mean.float(), variance.clamp(min=0).float())
