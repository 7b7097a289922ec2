"""Masks of RoIs onto the image: differentiable, without a loop over RoIs.

Geometry: pixel i covers [i, i + 1), so its centre is at i + 0.5; a mask of M
cells spans its box, so the centre of cell j is at (j + 0.5) / M of the side.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Footprint:
    """All pixels whose centre lies in a RoI: RoI after RoI, row by row.

    Attributes
    ----------
    roi, y, x
        (K,) int64: the RoI and the pixel.  A pixel under n RoIs appears n times.
    """

    roi: Tensor
    y: Tensor
    x: Tensor


def roi_windows(boxes: Tensor, height: int, width: int) -> Tensor:
    """Return the pixels of an image whose centres lie in each box.

    Parameters
    ----------
    boxes
        (R, 4) x0, y0, x1, y1, continuous, half-open, pixels; may leave the image.
    height, width
        Size of the image, pixels.

    Returns
    -------
    Tensor
        (R, 4) int64 x0, y0, x1, y1, half-open, inside the image, no end before its
        start.
    """
    # The first centre i + 0.5 >= edge, on both sides: half-open like the boxes.
    edges = (boxes.detach().float() - 0.5).ceil().long()
    limit = edges.new_tensor([width, height, width, height])
    first, last = edges.clamp(min=0).minimum(limit).split(2, 1)
    return torch.cat([first, torch.maximum(first, last)], 1)


def roi_footprint(boxes: Tensor, height: int, width: int) -> Footprint:
    """Return the pixels of an image of ``height`` x ``width`` under each box.

    See `roi_windows`.
    """
    x0, y0, x1, y1 = roi_windows(boxes, height, width).unbind(1)
    columns = x1 - x0
    counts = columns * (y1 - y0)
    roi = torch.arange(len(boxes), device=boxes.device).repeat_interleave(counts)
    start = counts.cumsum(0) - counts
    within = torch.arange(len(roi), device=boxes.device) - start[roi]
    return Footprint(
        roi, y0[roi] + within // columns[roi], x0[roi] + within % columns[roi]
    )


def _neighbours(
    pixel: Tensor, start: Tensor, stop: Tensor, cells: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the cells before and after a pixel centre and the second's weight."""
    position = (pixel + 0.5 - start) / (stop - start) * cells - 0.5
    position = position.clamp(0, cells - 1)
    low = position.floor()
    return low.long(), (low + 1).clamp(max=cells - 1).long(), position - low


def sample_masks(masks: Tensor, boxes: Tensor, footprint: Footprint) -> Tensor:
    """Return the masks at the pixels of their boxes, bilinearly.

    Beyond the centres of the outermost cells a mask keeps their value.

    Parameters
    ----------
    masks
        (R, C, M, M), any values; differentiable.
    boxes
        (R, 4) x0, y0, x1, y1, the boxes of ``footprint``.
    footprint
        Where to sample, K pixels.

    Returns
    -------
    Tensor
        (K, C) float32.
    """
    _, channels, m, _ = masks.shape
    roi = footprint.roi
    x0, y0, x1, y1 = boxes.detach().float()[roi].unbind(1)
    top, bottom, v = _neighbours(footprint.y, y0, y1, m)
    left, right, u = _neighbours(footprint.x, x0, x1, m)
    cells = masks.float().permute(0, 2, 3, 1).reshape(-1, channels)
    upper, lower = (roi * m + top) * m, (roi * m + bottom) * m
    u, v = u[:, None], v[:, None]
    # lerp of lerps; index_select has the fast gradient.
    above = torch.lerp(
        cells.index_select(0, upper + left), cells.index_select(0, upper + right), u
    )
    below = torch.lerp(
        cells.index_select(0, lower + left), cells.index_select(0, lower + right), u
    )
    return torch.lerp(above, below, v)
