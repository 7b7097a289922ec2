"""The terms of eq. 5 that are not part of a branch of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.nn import functional as F

if TYPE_CHECKING:
    from torch import Tensor

_SMOOTH_L1_BETA = 1 / 9


def box_loss(predicted: Tensor, wanted: Tensor, n_sampled: int) -> Tensor:
    """Return the smooth L1 loss of regressions, over all sampled boxes."""
    total = F.smooth_l1_loss(
        predicted.float(), wanted, beta=_SMOOTH_L1_BETA, reduction="sum"
    )
    return total / max(n_sampled, 1)


def mask_loss(logits: Tensor, covered: Tensor, known: Tensor) -> Tensor:
    """Return the BCE of object logits (R, M, M), over the cells that are known.

    On the object channel alone: the FC map of the dual-modal generator is
    common to both channels and a softmax over them would cancel it.
    """
    loss = F.binary_cross_entropy_with_logits(logits.float(), covered, reduction="none")
    return (loss * known).sum() / known.sum().clamp(min=1)


def semantic_loss(logits: Tensor, classes: Tensor) -> Tensor:
    """Return the cross entropy of (B, C + 1, Y, X) logits; class -1 is ignored."""
    total = F.cross_entropy(logits.float(), classes, ignore_index=-1, reduction="sum")
    return total / (classes >= 0).sum().clamp(min=1)


def consistency_loss(a: Tensor, b: Tensor, classes: Tensor) -> Tensor:
    """Return the mean squared distance of two softmax maps (eq. 4).

    ``a`` and ``b`` are logits (B, C + 1, Y, X); pixels of class -1 in
    ``classes`` (B, Y, X) do not count.
    """
    squared = (a.float().softmax(1) - b.float().softmax(1)) ** 2
    known = (classes >= 0)[:, None]
    return (squared * known).sum() / (known.sum() * a.shape[1]).clamp(min=1)
