"""Non-maximum suppression and votes; on CPUs few pairs of boxes are compared."""

from __future__ import annotations

import torch
import torchvision
from torch import Tensor

_SPREAD = 0.03
"""Of the loss of IoU with which a vote loses its weight."""
_UNITS = 8
"""Of a pixel, in which places of boxes are compared."""


def batched_nms(boxes: Tensor, scores: Tensor, groups: Tensor, iou: float) -> Tensor:
    """Return what torchvision's ``batched_nms`` does.

    Parameters
    ----------
    boxes
        (N, 4) x0, y0, x1, y1, all with an extent.
    scores
        (N,)
    groups
        (N,) boxes of different groups never suppress each other.
    iou
        Of two boxes that overlap more the one with the lower score goes.

    Returns
    -------
    (K,) int64 positions of those that stay, best first.
    """
    if boxes.is_cuda or iou <= 0:
        theirs: Tensor = torchvision.ops.batched_nms(boxes, scores, groups, iou)
        return theirs
    order = scores.argsort(descending=True, stable=True)
    keep = torch.ones_like(scores, dtype=torch.bool)
    for group in groups.unique():
        rows = order[groups[order] == group]
        keep[rows] = _best(boxes[rows], iou)
    return order[keep[order]]


def vote(boxes: Tensor, scores: Tensor, groups: Tensor, iou: float) -> Tensor:
    """Move each box to the mean of those that overlap it.

    A box weighs its score, and less the less it overlaps the one that moves: by
    ``exp(-(1 - IoU)^2 / 0.03)``, as in variance voting (He et al., 2019, section 3.3,
    there with variances that this network does not predict).

    Parameters
    ----------
    boxes
        (N, 4) x0, y0, x1, y1, all with an extent.
    scores
        (N,)
    groups
        (N,) boxes of different groups do not vote on each other.
    iou
        Of two boxes that overlap more each has a vote on the other; over 0.

    Returns
    -------
    (N, 4)
    """
    moved = boxes.clone()
    for group in groups.unique():
        rows = torch.nonzero(groups == group).flatten()
        moved[rows] = _means(boxes[rows], scores[rows], iou)
    return moved


def _means(boxes: Tensor, scores: Tensor, iou: float) -> Tensor:
    left, right = _rivals(boxes, iou)
    closeness = torch.exp(-((1 - _overlaps(boxes[left], boxes[right])) ** 2) / _SPREAD)
    own = scores.clamp(min=torch.finfo(scores.dtype).tiny)
    weight, total = own.clone(), own[:, None] * boxes
    for moved, voter in ((left, right), (right, left)):
        share = closeness * own[voter]
        weight.index_add_(0, moved, share)
        total.index_add_(0, moved, share[:, None] * boxes[voter])
    return total / weight[:, None]


def _best(boxes: Tensor, iou: float) -> Tensor:
    """Return which (N,) boxes, best first, no better one suppresses."""
    better, worse = _rivals(boxes, iou)
    keep = torch.ones(len(boxes), dtype=torch.bool, device=boxes.device)
    while len(better):
        # What has no better rival left stays, and ends its worse ones.
        rivalled = torch.zeros_like(keep)
        rivalled[worse] = True
        wins = ~rivalled[better]
        keep[worse[wins]] = False
        open_ = keep[better] & keep[worse] & ~wins
        better, worse = better[open_], worse[open_]
    return keep


def _rivals(boxes: Tensor, iou: float) -> tuple[Tensor, Tensor]:
    """Return positions of all pairs that overlap more than ``iou``, smaller ones first.

    Sides of such boxes differ by a factor of at most ``1 / iou``, and their centres
    by no more than ``(1 / iou - 1)`` of either's side: only those are looked at.
    """
    if not len(boxes):
        none = torch.empty(0, dtype=torch.int64, device=boxes.device)
        return none, none
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    reach = (1 / iou - 1) * (1 + 1e-3) * (boxes[:, 2:] - boxes[:, :2])
    left, right = _neighbours(centres, reach)
    near = (centres[left, 1] - centres[right, 1]).abs() <= reach[left, 1]
    left, right = left[near], right[near]
    rivals = _overlaps(boxes[left], boxes[right]) > iou
    left, right = left[rivals], right[rivals]
    return torch.minimum(left, right), torch.maximum(left, right)


def _neighbours(centres: Tensor, reach: Tensor) -> tuple[Tensor, Tensor]:
    """Return pairs, each once, and all that are as near as (N, 2) ``reach`` in x, y.

    The plane is cut into strips, so high that such pairs are in one of them or in two
    that touch, and the strips are laid end to end: neighbours are found by bisection.
    """
    height = reach[:, 1].max().clamp(min=1 / _UNITS)
    strip = (centres[:, 1] / height).floor().long()
    # Whole numbers, as the strips become too long for floats.
    x = (centres[:, 0] * _UNITS).floor().long()
    far = (reach[:, 0] * _UNITS).ceil().long() + 1
    length = x.max() - x.min() + 2 * far.max()
    place, order = (strip * length + x).sort()
    far, below = far[order], place + length
    edges = torch.stack([place + far + 1, below - far, below + far + 1])
    end, first_below, end_below = torch.searchsorted(place, edges)
    here = torch.arange(len(order), device=order.device)
    first = torch.cat([here + 1, first_below])
    counts = torch.cat([end, end_below]) - first
    left = here.repeat(2).repeat_interleave(counts)
    before = counts.cumsum(0) - counts
    right = torch.arange(len(left), device=order.device)
    right += (first - before).repeat_interleave(counts)
    return order[left], order[right]


def _overlaps(boxes: Tensor, others: Tensor) -> Tensor:
    """Return the (N,) IoU of (N, 4) boxes with as many others."""
    corners = torch.maximum(boxes[:, :2], others[:, :2])
    ends = torch.minimum(boxes[:, 2:], others[:, 2:])
    shared = (ends - corners).clamp(min=0).prod(1)
    areas = [(b[:, 2:] - b[:, :2]).prod(1) for b in (boxes, others)]
    return shared / (areas[0] + areas[1] - shared)
