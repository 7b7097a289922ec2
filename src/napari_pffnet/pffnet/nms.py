"""Non-maximum suppression and votes; on CPUs few pairs of boxes are compared."""

from __future__ import annotations

import torch
import torchvision
from torch import Tensor

_SPREAD = 0.03
"""Of the loss of IoU with which a vote loses its weight."""


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
    by_x = (boxes[:, 0] + boxes[:, 2]).argsort()
    x0, y0, x1, y1 = boxes[by_x].unbind(1)
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    reach = (1 / iou - 1) * (1 + 1e-3)
    last = torch.searchsorted(x, x + reach * (x1 - x0), right=True)
    here = torch.arange(len(x), device=boxes.device)
    counts = last - here - 1
    left = torch.repeat_interleave(here, counts)
    starts = counts.cumsum(0) - counts - here - 1
    right = torch.arange(len(left), device=boxes.device) - starts[left]
    near = (y[left] - y[right]).abs() <= (reach * (y1 - y0))[left]
    left, right = by_x[left[near]], by_x[right[near]]
    rivals = _overlaps(boxes[left], boxes[right]) > iou
    left, right = left[rivals], right[rivals]
    return torch.minimum(left, right), torch.maximum(left, right)


def _overlaps(boxes: Tensor, others: Tensor) -> Tensor:
    """Return the (N,) IoU of (N, 4) boxes with as many others."""
    corners = torch.maximum(boxes[:, :2], others[:, :2])
    ends = torch.minimum(boxes[:, 2:], others[:, 2:])
    shared = (ends - corners).clamp(min=0).prod(1)
    areas = [(b[:, 2:] - b[:, :2]).prod(1) for b in (boxes, others)]
    return shared / (areas[0] + areas[1] - shared)
