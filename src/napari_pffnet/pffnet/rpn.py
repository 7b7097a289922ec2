"""Region proposals: anchors on P2..P6, their objectness and regression."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models.detection.rpn import RPNHead

from napari_pffnet.pffnet import boxes as box_ops
from napari_pffnet.pffnet.losses import box_loss
from napari_pffnet.pffnet.matching import match, sample
from napari_pffnet.pffnet.nms import batched_nms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_pffnet.pffnet.structures import ImageTarget

_WEIGHTS = (1.0, 1.0, 1.0, 1.0)


def grid_anchors(
    shape_yx: tuple[int, int], stride: int, size: float, ratios: Tensor
) -> Tensor:
    """Return the (Y * X * A, 4) anchors of one level.

    They are centred on the cells, ``(i + 0.5) * stride``, and not rounded
    (torchvision's are centred on the corners and rounded).
    """
    height = size * ratios.sqrt()
    half = 0.5 * torch.stack([size / ratios.sqrt(), height], 1)
    y, x = ((torch.arange(n, device=ratios.device) + 0.5) * stride for n in shape_yx)
    centres = torch.cartesian_prod(y, x).flip(1)[:, None]
    return torch.cat([centres - half, centres + half], 2).view(-1, 4)


def _flatten(maps: Tensor, width: int) -> Tensor:
    """(B, A * width, Y, X) to (B, Y * X * A, width), in the order of the anchors."""
    n, channels, n_y, n_x = maps.shape
    split = maps.float().view(n, channels // width, width, n_y, n_x)
    return split.permute(0, 3, 4, 1, 2).reshape(n, -1, width)


@dataclass(frozen=True, slots=True)
class ProposalLimits:
    """How many proposals survive, in training or at inference."""

    pre_nms: int
    post_nms: int
    nms_iou: float
    min_score: float


@dataclass(frozen=True, slots=True)
class AnchorSampling:
    """Which anchors are trained on."""

    batch_per_image: int
    positive_fraction: float
    positive_iou: float
    negative_iou: float


@dataclass(frozen=True, slots=True)
class RPNOutput:
    """Raw predictions of a batch, level by level.

    Attributes
    ----------
    objectness
        Per level (B, A) logits.
    deltas
        Per level (B, A, 4) regressions.
    anchors
        Per level (A, 4) boxes.
    """

    objectness: list[Tensor]
    deltas: list[Tensor]
    anchors: list[Tensor]


class RegionProposalNetwork(nn.Module):
    """RPN on all five pyramid levels, one anchor size a level."""

    def __init__(
        self,
        channels: int,
        *,
        strides: Sequence[int],
        sizes: Sequence[float],
        ratios: Sequence[float],
        sampling: AnchorSampling,
        train_limits: ProposalLimits,
        test_limits: ProposalLimits,
    ) -> None:
        super().__init__()
        self.head = RPNHead(channels, len(ratios))
        self.register_buffer("ratios", torch.tensor(ratios), persistent=False)
        self.ratios: Tensor
        self._levels = list(zip(strides, sizes, strict=True))
        self._sampling = sampling
        self._train_limits = train_limits
        self._test_limits = test_limits

    def forward(self, pyramid: list[Tensor]) -> RPNOutput:
        """Return objectness, regressions and anchors of P2..P6."""
        objectness, deltas = self.head(pyramid)
        anchors = [
            grid_anchors((level.shape[-2], level.shape[-1]), stride, size, self.ratios)
            for level, (stride, size) in zip(pyramid, self._levels, strict=True)
        ]
        return RPNOutput(
            [_flatten(o, 1).squeeze(2) for o in objectness],
            [_flatten(d, 4) for d in deltas],
            anchors,
        )

    @torch.no_grad()
    def propose(
        self,
        output: RPNOutput,
        shape_yx: tuple[int, int],
        *,
        least_score: float = 0.0,
    ) -> list[Tensor]:
        """Return the proposals (P, 4) of each image, best first.

        Those of an objectness below ``least_score`` and the limits are left out.
        """
        limits = self._train_limits if self.training else self._test_limits
        limits = replace(limits, min_score=max(limits.min_score, least_score))
        boxes, scores, levels = _best_of_levels(output, shape_yx, limits.pre_nms)
        return [
            _propose(*image, levels, limits)
            for image in zip(boxes, scores, strict=True)
        ]

    def losses(
        self, output: RPNOutput, targets: list[ImageTarget]
    ) -> dict[str, Tensor]:
        """Return ``rpn_objectness`` (BCE) and ``rpn_box`` (smooth L1)."""
        anchors = torch.cat(output.anchors)
        logits = torch.cat(output.objectness, 1)
        deltas = torch.cat(output.deltas, 1)
        rows, objects, boxes = [], [], []
        for image, target in enumerate(targets):
            matched, chosen = self._sample(anchors, target)
            found = matched[chosen]
            rows.append(image * len(anchors) + chosen)
            objects.append(found)
            boxes.append(target.boxes[found[found >= 0]])
        # One look-up for all images: each has a gradient as large as all logits.
        row, is_object = torch.cat(rows), torch.cat(objects) >= 0
        positive = row[is_object]
        seen = logits.flatten()[row]
        objectness = F.binary_cross_entropy_with_logits(
            seen, is_object.float(), reduction="sum"
        )
        references = anchors[positive % len(anchors)]
        wanted = box_ops.encode(torch.cat(boxes), references, _WEIGHTS)
        return {
            "rpn_objectness": objectness / max(len(seen), 1),
            "rpn_box": box_loss(deltas.flatten(0, 1)[positive], wanted, len(seen)),
        }

    def _sample(self, anchors: Tensor, target: ImageTarget) -> tuple[Tensor, Tensor]:
        matched, _ = match(
            anchors,
            target.boxes,
            target.ignore,
            positive_iou=self._sampling.positive_iou,
            negative_iou=self._sampling.negative_iou,
            low_quality=True,
        )
        rows = sample(
            matched,
            size=self._sampling.batch_per_image,
            positive_fraction=self._sampling.positive_fraction,
        )
        return matched, rows


def _best_of_levels(
    output: RPNOutput, shape_yx: tuple[int, int], most: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the best boxes of each level.

    All images at once: on a GPU the number of operations counts, not their size.

    Returns
    -------
    boxes, scores
        (B, N, 4) inside the image, and (B, N).
    levels
        (N,) which level each is of.
    """
    logits, deltas, references, levels = [], [], [], []
    for i, (objectness, changes, anchors) in enumerate(
        zip(output.objectness, output.deltas, output.anchors, strict=True)
    ):
        top, rows = objectness.topk(min(most, objectness.shape[1]))
        logits.append(top)
        deltas.append(changes.gather(1, rows[..., None].expand(-1, -1, 4)))
        references.append(anchors[rows])
        levels.append(torch.full_like(rows[0], i))
    boxes = box_ops.decode(torch.cat(deltas, 1), torch.cat(references, 1), _WEIGHTS)
    scores = torch.cat(logits, 1).sigmoid()
    return box_ops.clip(boxes, shape_yx), scores, torch.cat(levels)


def _propose(
    boxes: Tensor, scores: Tensor, levels: Tensor, limits: ProposalLimits
) -> Tensor:
    """Return the best proposals of one image after NMS within each level."""
    usable = box_ops.has_extent(boxes) & (scores >= limits.min_score)
    rows = torch.nonzero(usable).flatten()
    boxes = boxes[rows]
    keep = batched_nms(boxes, scores[rows], levels[rows], limits.nms_iou)
    return boxes[keep[: limits.post_nms]]
