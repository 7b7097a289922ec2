"""Boxes in continuous coordinates: x0, y0, x1, y1, half-open, never rounded.

Pixel ``i`` covers ``[i, i + 1)``.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

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
    table = torch.zeros(
        (ignore.shape[0] + 1, ignore.shape[1] + 1), device=ignore.device
    )
    table[1:, 1:] = ignore.float().cumsum(0).cumsum(1)
    high_y, high_x = ignore.shape
    x0, x1 = (boxes[:, i].round().long().clamp(0, high_x) for i in (0, 2))
    y0, y1 = (boxes[:, i].round().long().clamp(0, high_y) for i in (1, 3))
    inside = table[y1, x1] - table[y0, x1] - table[y1, x0] + table[y0, x0]
    return inside / ((x1 - x0) * (y1 - y0)).clamp(min=1)
