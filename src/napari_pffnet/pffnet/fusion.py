"""Feature fusion: masks of the instance branch into its semantic map."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn

from napari_pffnet.pffnet.layers import NormFactory, conv_block
from napari_pffnet.pffnet.paste import roi_footprint, sample_masks

if TYPE_CHECKING:
    from collections.abc import Callable

FusionKind = Literal["replace", "sum", "attention", "residual_attention"]

_LEAST = 1e-6
"""Smallest factor of ``attention``: its logarithm stays finite."""


@dataclass(frozen=True, slots=True)
class _Pasted:
    """What RoIs bring to a map, one entry for each RoI, pixel and channel.

    Attributes
    ----------
    values
        (K,) float32, the mask's logit at the pixel, or its probability.
    index
        (K,) int64, place in the flattened map.
    rank
        (K,) int64, 1 for the RoI that is painted first.
    max_gain
        As in `FeatureFusion`.
    """

    values: Tensor
    index: Tensor
    rank: Tensor
    max_gain: float | None


def _total(pasted: _Pasted, values: Tensor, features: Tensor) -> Tensor:
    """Add up ``values`` for each place of the map."""
    empty = features.new_zeros(features.numel())
    total = empty.index_add(0, pasted.index, values)
    if pasted.max_gain is not None:
        # n RoIs on one object share the gradient of one; the value is the sum.
        count = empty.index_add(0, pasted.index, torch.ones_like(values))
        share = total / count.clamp(min=1)
        total = share + (total - share).detach()
    return total.view_as(features)


def _replace(features: Tensor, pasted: _Pasted) -> Tensor:
    last = pasted.index.new_zeros(features.numel())
    last = last.scatter_reduce(0, pasted.index, pasted.rank, "amax")
    wins = pasted.rank == last[pasted.index]
    flat = features.reshape(-1)
    painted = flat.index_copy(0, pasted.index[wins], pasted.values[wins])
    return painted.view_as(features)


def _sum(features: Tensor, pasted: _Pasted) -> Tensor:
    return features + _total(pasted, pasted.values, features)


def _attention(features: Tensor, pasted: _Pasted) -> Tensor:
    log_factor = pasted.values.clamp(min=_LEAST).log()
    return features * _total(pasted, log_factor, features).exp()


def _residual_attention(features: Tensor, pasted: _Pasted) -> Tensor:
    log_gain = _total(pasted, pasted.values.log1p(), features)
    if pasted.max_gain is not None:
        log_gain = log_gain.clamp(max=math.log(pasted.max_gain))
    return features * log_gain.exp()


_FUSIONS: dict[FusionKind, Callable[[Tensor, _Pasted], Tensor]] = {
    "replace": _replace,
    "sum": _sum,
    "attention": _attention,
    "residual_attention": _residual_attention,
}


class FeatureFusion(nn.Module):
    """Fused semantic logits of the instance branch (000, III-B and figure 10).

    Every RoI changes two channels of the semantic map F inside its box: the
    background by its background mask M0, its class by its object mask M1.  R
    pastes bilinearly.  ``replace``: F = R(M); ``sum``: F + R(M); ``attention``:
    F * R(sigmoid(M)); ``residual_attention``: F * (1 + R(sigmoid(M))), algorithm 1.

    Parameters
    ----------
    kind
        Which of the four.
    n_classes
        Object classes, without background.
    channels
        Width of the convolution between the fused map and the logits.
    norm
        Norm behind that convolution.
    max_gain
        Largest factor of residual attention at one place; the gradient into the
        masks is then shared among the RoIs that meet there.  None: algorithm 1
        to the letter, whose factor doubles with every RoI on the same object.
    detach
        Keep the gradient out of the mask generator.  The background mask, which
        learns from nothing else, is then 1 - the object mask.
    """

    def __init__(
        self,
        kind: FusionKind,
        n_classes: int,
        channels: int,
        *,
        norm: NormFactory,
        max_gain: float | None = None,
        detach: bool = False,
    ) -> None:
        super().__init__()
        self.kind: FusionKind = kind
        self.max_gain = max_gain
        self.detach = detach
        self.refine = nn.Sequential(
            nn.ReLU(),
            conv_block(n_classes + 1, channels, norm=norm),
            nn.Conv2d(channels, n_classes + 1, 1),
        )

    def forward(
        self,
        features: Tensor,
        mask_logits: Tensor,
        boxes: Tensor,
        class_ids: Tensor,
        image_index: Tensor,
        scores: Tensor | None = None,
    ) -> Tensor:
        """Return semantic logits (B, C + 1, Y, X); arguments as in `fuse`."""
        fused = self.fuse(features, mask_logits, boxes, class_ids, image_index, scores)
        logits: Tensor = self.refine(fused)
        return logits

    def fuse(
        self,
        features: Tensor,
        mask_logits: Tensor,
        boxes: Tensor,
        class_ids: Tensor,
        image_index: Tensor,
        scores: Tensor | None = None,
    ) -> Tensor:
        """Return the fused map F_K, (B, C + 1, Y, X) like ``features``.

        Parameters
        ----------
        features
            F0, (B, C + 1, Y, X).
        mask_logits
            (R, 2, M, M): background, object; R may be 0.
        boxes
            (R, 4) x0, y0, x1, y1, the RoIs that the masks come from, pixels.
        class_ids
            (R,) int64 in 1..C.
        image_index
            (R,) int64 in 0..B - 1.
        scores
            (R,); ``replace`` paints in rising score, without scores in the order
            given.  The other kinds do not depend on the order.
        """
        # Sums of logarithms need float32 whatever the rest runs in.
        with torch.autocast(features.device.type, enabled=False):
            pasted = self._paste(
                features, mask_logits, boxes, class_ids, image_index, scores
            )
            fused = _FUSIONS[self.kind](features.float(), pasted)
        return fused.to(features.dtype)

    def _paste(
        self,
        features: Tensor,
        mask_logits: Tensor,
        boxes: Tensor,
        class_ids: Tensor,
        image_index: Tensor,
        scores: Tensor | None,
    ) -> _Pasted:
        _, n_channels, height, width = features.shape
        spot = roi_footprint(boxes, height, width)
        values = sample_masks(self._masks(mask_logits), boxes, spot)
        channel = torch.stack([torch.zeros_like(class_ids), class_ids], 1)
        plane = image_index[:, None] * n_channels + channel
        index = plane[spot.roi] * (height * width) + (spot.y * width + spot.x)[:, None]
        rank = _ranks(scores, len(boxes), boxes.device)[spot.roi, None]
        return _Pasted(
            values.flatten(),
            index.flatten(),
            rank.expand_as(index).flatten(),
            self.max_gain,
        )

    def _masks(self, mask_logits: Tensor) -> Tensor:
        logits = mask_logits.float()
        if self.detach:
            # sigmoid(-x) = 1 - sigmoid(x)
            inside = logits[:, 1].detach()
            logits = torch.stack([-inside, inside], 1)
        uses_logits = self.kind in ("replace", "sum")
        return logits if uses_logits else logits.sigmoid()


def _ranks(scores: Tensor | None, n: int, device: torch.device) -> Tensor:
    """Return 1 for the lowest score up to n for the highest; ties in order."""
    if scores is None:
        return torch.arange(1, n + 1, device=device)
    return scores.argsort(stable=True).argsort() + 1
