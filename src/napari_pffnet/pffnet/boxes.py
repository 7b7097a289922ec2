"""Boxes in continuous coordinates: x0, y0, x1, y1, half-open, never rounded.

Pixel ``i`` covers ``[i, i + 1)``.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

MAX_LOG_SCALE = math.log(1000 / 16)
"""Largest change of a side that a regression may ask for (as Faster R-CNN)."""

Weights = tuple[float, float, float, float]


def _centres_and_sizes(boxes: Tensor) -> tuple[Tensor, Tensor]:
    sizes = boxes[..., 2:] - boxes[..., :2]
    return boxes[..., :2] + 0.5 * sizes, sizes


def encode(boxes: Tensor, references: Tensor, weights: Weights) -> Tensor:
    """Return the (N, 4) regression targets that move references onto boxes."""
    centres, sizes = _centres_and_sizes(boxes)
    ref_centres, ref_sizes = _centres_and_sizes(references)
    shift = (centres - ref_centres) / ref_sizes
    scale = torch.log(sizes / ref_sizes)
    return torch.cat([shift, scale], -1) * boxes.new_tensor(weights)


def decode(deltas: Tensor, references: Tensor, weights: Weights) -> Tensor:
    """Return the boxes that regressions (..., 4) make of references (..., 4)."""
    deltas = deltas.float() / deltas.new_tensor(weights, dtype=torch.float32)
    ref_centres, ref_sizes = _centres_and_sizes(references)
    centres = ref_centres + deltas[..., :2] * ref_sizes
    half = 0.5 * ref_sizes * deltas[..., 2:].clamp(max=MAX_LOG_SCALE).exp()
    return torch.cat([centres - half, centres + half], -1)


def clip(boxes: Tensor, shape_yx: tuple[int, int]) -> Tensor:
    """Return boxes cut off at the border of an image."""
    high = boxes.new_tensor([shape_yx[1], shape_yx[0]] * 2)
    return torch.minimum(boxes.clamp(min=0), high)


def has_extent(boxes: Tensor, side: float = 1.0) -> Tensor:
    """Tell which boxes are at least ``side`` pixels wide and high."""
    return (boxes[:, 2:] - boxes[:, :2] >= side).all(1)


def ignored_fraction(boxes: Tensor, ignore: Tensor) -> Tensor:
    """Return the share of each box, (N,), that lies in an ignore map (Y, X).

    From a summed-area table at the boxes' rounded corners; what sticks out of
    the image does not count.
    """
    counts = ignore.float().cumsum(0).cumsum(1)
    table = F.pad(counts, (1, 0, 1, 0))
    x = boxes[:, 0::2].round().long().clamp(0, ignore.shape[1])
    y = boxes[:, 1::2].round().long().clamp(0, ignore.shape[0])
    corners = table[y[:, :, None], x[:, None, :]]
    lower, upper = corners[:, 1], corners[:, 0]
    inside = lower[:, 1] - lower[:, 0] - upper[:, 1] + upper[:, 0]
    return inside / (x.diff() * y.diff()).squeeze(1).clamp(min=1)
