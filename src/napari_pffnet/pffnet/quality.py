"""Mask quality: how good a mask is, by the network's own estimate."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_pffnet.pffnet.layers import NormFactory, conv_block
from napari_pffnet.pffnet.masks import ROI_SIZE

QualityLoss = Literal["l2", "bce"]

_USUAL_SIDE = 32.0
"""Sides are told as octaves from this, pixels."""
_EPS = 1e-6
"""Scores and certainties are at least this far from 0 and 1, where their logit is
infinite."""


def _hidden_layer(n_in: int, n_out: int) -> nn.Sequential:
    linear = nn.Linear(n_in, n_out)
    nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
    nn.init.zeros_(linear.bias)
    return nn.Sequential(linear, nn.ReLU(inplace=True))


def _space_to_depth(masks: Tensor) -> Tensor:
    """Return (R, 4, M / 2, M / 2) of (R, M, M), by 2 x 2 cells.

    ``pixel_unshuffle`` returns the wrong shape for R = 0.
    """
    r, height, width = masks.shape
    blocks = masks.reshape(r, height // 2, 2, width // 2, 2).permute(0, 2, 4, 1, 3)
    return blocks.reshape(r, 4, height // 2, width // 2)


class MaskQualityBranch(nn.Module):
    """Four convolutions and three fully connected layers (paper 000, table I).

    The sub-modules are called as the rows of the table.

    Parameters
    ----------
    in_channels
        Channels of the RoI features; 256 in the paper.
    channels
        Width of the convolutions; 256 in the paper.
    hidden
        Width of the fully connected layers; 1024 in the paper.
    norm
        Norm behind the convolutions.
    sees_size
        Whether the width and height of the RoI are told, too.  Features of a RoI do
        not show them, and half a pixel costs a small object far more than a large one.
    sees_score
        Whether the logit of the classification score is added at inference, times
        ``score_weight``: a buffer, 0 until a calibration sets it.
    sees_certainty
        Whether the logit of `mask_certainty` is added, times ``certainty_weight``: a
        buffer, 0 until it is set.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        hidden: int,
        *,
        norm: NormFactory,
        sees_size: bool = False,
        sees_score: bool = False,
        sees_certainty: bool = False,
    ) -> None:
        super().__init__()
        # 28 x 28 probabilities enter as 4 channels of 14 x 14.
        self.conv1 = conv_block(in_channels + 4, channels, norm=norm)
        self.conv2 = conv_block(channels, channels, norm=norm)
        self.conv3 = conv_block(channels, channels, norm=norm)
        self.conv4 = conv_block(channels, channels, norm=norm, stride=2)
        self.fc1 = _hidden_layer(channels * (ROI_SIZE // 2) ** 2, hidden)
        self.fc2 = _hidden_layer(hidden, hidden)
        self.fc3 = nn.Linear(hidden, 1)
        self.size = nn.Linear(2, hidden) if sees_size else None
        if self.size is not None:
            # So that weights which were trained without it go on as they are.
            nn.init.zeros_(self.size.weight)
            nn.init.zeros_(self.size.bias)
        self.score_weight: Tensor | None
        self.register_buffer("score_weight", torch.zeros(()) if sees_score else None)
        self.certainty_weight: Tensor | None
        self.register_buffer(
            "certainty_weight", torch.zeros(()) if sees_certainty else None
        )

    def logits(
        self,
        roi_features: Tensor,
        object_logits: Tensor,
        boxes: Tensor,
        scores: Tensor | None = None,
    ) -> Tensor:
        """Return the quality before the sigmoid, (R,); arguments as ``forward``."""
        probability = object_logits.detach().sigmoid().to(roi_features.dtype)
        x = torch.cat([roi_features, _space_to_depth(probability)], 1)
        x = self.conv4(self.conv3(self.conv2(self.conv1(x))))
        hidden = self.fc1(x.flatten(1))
        if self.size is not None:
            sides = (boxes[:, 2:] - boxes[:, :2]).clamp(min=1)
            hidden = hidden + self.size(torch.log2(sides / _USUAL_SIDE))
        out: Tensor = self.fc3(self.fc2(hidden)).squeeze(1)
        if self.certainty_weight is not None:
            certainty = mask_certainty(probability)
            out = out + self.certainty_weight * certainty.logit(_EPS)
        if self.score_weight is None or scores is None:
            return out
        return out + self.score_weight * scores.logit(_EPS)

    def forward(
        self,
        roi_features: Tensor,
        object_logits: Tensor,
        boxes: Tensor,
        scores: Tensor | None = None,
    ) -> Tensor:
        """Return the quality s_qua in (0, 1), (R,) float32.

        Parameters
        ----------
        roi_features
            (R, in_channels, 14, 14); R may be 0.
        object_logits
            (R, 28, 28), the object's mask logits; no gradient goes back to them.
        boxes
            (R, 4) x0, y0, x1, y1 of the RoIs, pixels.
        scores
            (R,) classification scores; in training there are none.
        """
        logits = self.logits(roi_features, object_logits, boxes, scores)
        return logits.float().sigmoid()


def mask_certainty(probability: Tensor) -> Tensor:
    """Return the mean probability of the cells of each mask, (R,) float32.

    Parameters
    ----------
    probability
        (R, M, M); the mask is where it is over 0.5.  Without such a cell it is 0.5,
        the least that a mask can have.
    """
    values = probability.float()
    mask = values > 0.5
    total = (values * mask).sum((1, 2))
    return (total / mask.sum((1, 2)).clamp(min=1)).clamp(min=0.5)


@torch.no_grad()
def quality_targets(
    object_logits: Tensor,
    target_masks: Tensor,
    boxes: Tensor,
    true_areas: Tensor,
    known: Tensor | None = None,
) -> Tensor:
    """Return the mean of Dice and IoU of each mask with its object (000, eq. 3).

    Parameters
    ----------
    object_logits
        (R, M, M) mask logits; the mask is where they are positive.
    target_masks
        (R, M, M) share of each cell that the object covers, in [0, 1].
    boxes
        (R, 4) x0, y0, x1, y1 of the RoIs, pixels.
    true_areas
        (R,) area of the whole object, also outside the RoI, pixels.
    known
        (R, M, M) share of each cell that is not ignored; None: all of it.  Of the
        other pixels neither the masks nor the areas count.

    Returns
    -------
    Tensor
        (R,) float32 in [0, 1], without gradient.
    """
    width, height = (boxes[:, 2:] - boxes[:, :2]).float().unbind(1)
    cell_area = width * height / object_logits.shape[1:].numel()
    mask = (object_logits > 0).float()
    seen = mask if known is None else mask * known
    predicted = seen.sum((1, 2)) * cell_area
    common = (mask * target_masks).sum((1, 2)) * cell_area
    # Sampling at cells can count a little more than there is.
    common = torch.minimum(common, true_areas.float())
    both = (predicted + true_areas).clamp(min=1e-6)
    return (2 * common / both + common / (both - common).clamp(min=1e-6)) / 2


def quality_loss(logits: Tensor, targets: Tensor, kind: QualityLoss = "l2") -> Tensor:
    """Return the mean loss of quality logits (R,); 0 without RoIs.

    Parameters
    ----------
    logits
        (R,) qualities before the sigmoid.
    targets
        (R,) in [0, 1].
    kind
        ``l2``: the squared error of the qualities (000, III-C).  ``bce``: their cross
        entropy, which tells 0.90 from 0.95 as sharply as 0.5 from 0.55; the gradient
        of ``l2`` fades where qualities are near 1, as most are.
    """
    if kind == "bce":
        total = F.binary_cross_entropy_with_logits(
            logits.float(), targets, reduction="sum"
        )
    else:
        total = (logits.float().sigmoid() - targets).square().sum()
    return total / max(len(targets), 1)
