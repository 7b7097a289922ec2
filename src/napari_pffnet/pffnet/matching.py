"""Which anchor or RoI belongs to which object, and which of them are trained on."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torchvision.ops import box_iou

from napari_pffnet.pffnet.boxes import ignored_fraction

NEGATIVE = -1
UNUSED = -2
_PAIRS_A_CHUNK = 250_000
_PAIRS_A_CHUNK_CUDA = 32_000_000
"""A GPU waits for each chunk to be asked for, and has no cache to be spared."""


@dataclass(frozen=True, slots=True)
class Overlaps:
    """Who overlaps whom most, among A boxes and N true boxes.

    Attributes
    ----------
    iou, index
        (A,) largest IoU of each box, and with which true box.
    best_iou, best
        (N,) largest IoU of each true box, and with which box.
    """

    iou: Tensor
    index: Tensor
    best_iou: Tensor
    best: Tensor


def best_overlaps(boxes: Tensor, truth: Tensor) -> Overlaps:
    """Compare boxes with true boxes without ever holding the whole table.

    Parameters
    ----------
    boxes
        (A, 4) boxes.
    truth
        (N, 4) true boxes, N >= 1.
    """
    chunks, best_iou = [], truth.new_zeros(len(truth))
    best = torch.zeros(len(truth), dtype=torch.long, device=boxes.device)
    pairs = _PAIRS_A_CHUNK_CUDA if boxes.is_cuda else _PAIRS_A_CHUNK
    size = max(1, pairs // len(truth))
    for start in range(0, len(boxes), size):
        table = box_iou(boxes[start : start + size], truth)
        chunks.append(table.max(1))
        column_iou, column = table.max(0)
        best = torch.where(column_iou > best_iou, column + start, best)
        best_iou = torch.maximum(best_iou, column_iou)
    return Overlaps(
        torch.cat([c.values for c in chunks]),
        torch.cat([c.indices for c in chunks]),
        best_iou,
        best,
    )


def match(
    boxes: Tensor,
    truth: Tensor,
    ignore: Tensor,
    *,
    positive_iou: float,
    negative_iou: float,
    low_quality: bool = False,
) -> tuple[Tensor, Tensor]:
    """Assign each box the object it stands for.

    Parameters
    ----------
    boxes
        (A, 4) anchors or RoIs.
    truth
        (N, 4) true boxes.
    ignore
        (Y, X) bool; boxes more than half inside become `UNUSED`.
    positive_iou, negative_iou
        From the first on a box is positive, below the second negative.
    low_quality
        Give every object also its best boxes, however small the overlap.

    Returns
    -------
    matched
        (A,) index of the object, `NEGATIVE` or `UNUSED`.
    iou
        (A,) largest IoU with any object.
    """
    matched = torch.full((len(boxes),), NEGATIVE, device=boxes.device)
    iou = boxes.new_zeros(len(boxes))
    if len(truth) and len(boxes):
        found = best_overlaps(boxes, truth)
        iou = found.iou
        matched = matched.masked_fill(iou >= negative_iou, UNUSED)
        positive = iou >= positive_iou
        if low_quality:
            # Ties of the best overlap are all positive: a small object lies
            # inside several equal anchors.
            positive |= (iou > 0) & (iou == found.best_iou[found.index])
        matched = torch.where(positive, found.index, matched)
        if low_quality:
            # A box that stands for another object already is not taken from it.
            free = (found.best_iou > 0) & ~positive[found.best]
            reached = torch.nonzero(free).flatten()
            matched[found.best[reached]] = reached
    if ignore.any():
        unknown = ignored_fraction(boxes, ignore) > 0.5
        matched = matched.masked_fill(unknown, UNUSED)
    return matched, iou


def sample(matched: Tensor, *, size: int, positive_fraction: float) -> Tensor:
    """Draw boxes to train on; return their positions, positives first."""
    positive = torch.nonzero(matched >= 0).flatten()
    negative = torch.nonzero(matched == NEGATIVE).flatten()
    n_positive = min(len(positive), int(size * positive_fraction))
    n_negative = min(len(negative), size - n_positive)
    return torch.cat(
        [
            positive[torch.randperm(len(positive), device=matched.device)[:n_positive]],
            negative[torch.randperm(len(negative), device=matched.device)[:n_negative]],
        ]
    )
