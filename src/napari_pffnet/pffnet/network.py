"""PFFNet and the baselines it grew from (figure 1 of the paper)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_pffnet.pffnet.box_branch import (
    BoxBranch,
    BoxOutput,
    SampledRoIs,
    sample_rois,
)
from napari_pffnet.pffnet.boxes import clip
from napari_pffnet.pffnet.mask_branch import (
    MaskBranch,
    QualityExamples,
    quality_examples,
)
from napari_pffnet.pffnet.norms import Moments, measure
from napari_pffnet.pffnet.semantic_part import FusionInput, SemanticPart
from napari_pffnet.pffnet.structures import Detections, ImageTarget, NetworkOutput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_pffnet.pffnet.backbone import Backbone, Features
    from napari_pffnet.pffnet.rpn import RegionProposalNetwork

_MULTIPLE = 32
_SMALLEST = 64


@dataclass(frozen=True, slots=True)
class QualitySources:
    """RoIs that teach quality beside the positive proposals."""

    refined: bool = False
    negatives: bool = False


class PFFNet(nn.Module):
    """Panoptic Feature Fusion Net, made of finished parts.

    Called with images alone it detects; with targets it returns the losses.

    Parameters
    ----------
    backbone, rpn, box_branch, mask_branch
        The Mask R-CNN.
    semantic
        Semantic branches, or None for a plain Mask R-CNN.
    mean, std
        Standardisation of the input, one value or one a channel.
    loss_weights
        Weight of each loss by name (eq. 5).
    quality_sources
        What else the quality sub-branch learns from.
    """

    def __init__(
        self,
        backbone: Backbone,
        rpn: RegionProposalNetwork,
        box_branch: BoxBranch,
        mask_branch: MaskBranch,
        semantic: SemanticPart | None,
        *,
        mean: Sequence[float],
        std: Sequence[float],
        loss_weights: Mapping[str, float],
        quality_sources: QualitySources,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.rpn = rpn
        self.box_branch = box_branch
        self.mask_branch = mask_branch
        self.semantic = semantic
        self.register_buffer("mean", torch.tensor(mean)[:, None, None], False)
        self.register_buffer("std", torch.tensor(std)[:, None, None], False)
        self.mean: Tensor
        self.std: Tensor
        self._loss_weights = dict(loss_weights)
        self._quality_sources = quality_sources

    def forward(
        self,
        images: Tensor,
        targets: list[ImageTarget] | None = None,
        *,
        least_score: float = 0.0,
        regions: Tensor | None = None,
    ) -> dict[str, Tensor] | NetworkOutput:
        """Return `losses` where targets are given, else `detect`."""
        if targets is None:
            return self.detect(images, least_score=least_score, regions=regions)
        return self.losses(images, targets)

    def losses(self, images: Tensor, targets: list[ImageTarget]) -> dict[str, Tensor]:
        """Return every term of eq. 5 by name, already weighted.

        Parameters
        ----------
        images
            (B, C, Y, X) in [0, 1].
        targets
            The truth about each image.
        """
        shape = (images.shape[-2], images.shape[-1])
        features = self.backbone(self.standardise(images))
        pyramid = features.p[:4]
        proposals = self.rpn(features.p)
        rois = sample_rois(
            self.rpn.propose(proposals, shape), targets, self.box_branch.sampling
        )
        boxes = self.box_branch(pyramid, rois.boxes, rois.image_index)
        losses = {
            **self.rpn.losses(proposals, targets),
            **self.box_branch.losses(boxes, rois, targets),
            **self._mask_losses(features, rois, boxes, targets),
        }
        return {name: self._loss_weights[name] * loss for name, loss in losses.items()}

    def _mask_losses(
        self,
        features: Features,
        rois: SampledRoIs,
        boxes: BoxOutput,
        targets: list[ImageTarget],
    ) -> dict[str, Tensor]:
        """Losses of everything that stands on the positive RoIs."""
        positive = rois.positive
        masks = self.mask_branch(features.p[:4], positive.boxes, positive.image_index)
        truth, examples = self.mask_branch.examples(masks, positive, targets)
        losses = {"mask": self.mask_branch.mask_loss(masks, truth)}
        if self.mask_branch.quality is not None:
            more = self._more_examples(features.p[:4], rois, boxes, targets)
            losses["quality"] = self.mask_branch.quality_loss([examples, *more])
        if self.semantic is not None:
            fused = FusionInput(positive, masks.logits)
            losses |= self.semantic.losses(features, fused, targets)
        return losses

    @torch.no_grad()
    def _more_examples(
        self,
        pyramid: list[Tensor],
        rois: SampledRoIs,
        boxes: BoxOutput,
        targets: list[ImageTarget],
    ) -> list[QualityExamples]:
        """Return what quality learns from refined boxes and hard negatives."""
        examples = []
        shape = targets[0].label_map.shape
        if self._quality_sources.refined:
            rows = torch.nonzero(rois.objects >= 0).flatten()
            chosen = rois.select(rows)
            deltas = boxes.deltas[rows, chosen.class_ids]
            refined = clip(
                self.box_branch.refine(chosen.boxes, deltas), (shape[0], shape[1])
            )
            moved = SampledRoIs(
                refined,
                chosen.image_index,
                chosen.objects,
                chosen.class_ids,
                chosen.ious,
            )
            masks = self.mask_branch(pyramid, refined, moved.image_index)
            examples.append(self.mask_branch.examples(masks, moved, targets)[1])
        if self._quality_sources.negatives:
            examples.append(self._hard_negatives(pyramid, rois, boxes))
        return examples

    def _hard_negatives(
        self, pyramid: list[Tensor], rois: SampledRoIs, boxes: BoxOutput
    ) -> QualityExamples:
        """Return the background RoIs that look most like objects; quality 0."""
        negative = torch.nonzero(rois.objects < 0).flatten()
        wanted = max(1, int((rois.objects >= 0).sum()) // 2)
        looks = 1 - boxes.class_logits[negative].softmax(1)[:, 0]
        hardest = negative[looks.topk(min(wanted, len(negative))).indices]
        chosen = rois.select(hardest)
        masks = self.mask_branch(pyramid, chosen.boxes, chosen.image_index)
        return quality_examples(masks, masks.logits.new_zeros(len(hardest)))

    @torch.no_grad()
    def detect(
        self,
        images: Tensor,
        *,
        least_score: float = 0.0,
        regions: Tensor | None = None,
    ) -> NetworkOutput:
        """Return candidates and semantic logits of images.

        Parameters
        ----------
        images
            (B, C, Y, X) in [0, 1].
        least_score
            Proposals of a lower objectness are left out before they are classified,
            and candidates of a lower score before their masks are made.
        regions
            (B, 4) x0, y0, x1, y1, pixels: so are those whose boxes have their centre
            outside the region of their image.  They still suppress others.
        """
        shape = (images.shape[-2], images.shape[-1])
        padded = self.standardise(images)
        features = self.backbone(padded)
        proposals = self.rpn.propose(
            self.rpn(features.p), shape, least_score=least_score
        )
        found = [
            self._detect_one(
                [level[i : i + 1] for level in features.p[:4]],
                p,
                shape,
                least_score,
                None if regions is None else regions[i],
            )
            for i, p in enumerate(proposals)
        ]
        if self.semantic is None:
            return NetworkOutput(found, None)
        whole = (padded.shape[-2], padded.shape[-1])
        logits = self.semantic(features, whole)[..., : shape[0], : shape[1]]
        return NetworkOutput(found, logits.float())

    @torch.no_grad()
    def measure_norms(self, images: Tensor) -> dict[str, Moments]:
        """Return the statistics of all norms that see images, not RoIs.

        The (B, C, Y, X) images in [0, 1] count as one image; see `norms.holding`.
        """

        def look() -> None:
            padded = self.standardise(images)
            features = self.backbone(padded)
            if self.semantic is not None:
                self.semantic(features, (padded.shape[-2], padded.shape[-1]))

        return measure(self, look)

    def _detect_one(
        self,
        pyramid: list[Tensor],
        proposals: Tensor,
        shape_yx: tuple[int, int],
        least_score: float,
        region: Tensor | None,
    ) -> Detections:
        boxes, class_ids, scores = self.box_branch.detect(
            pyramid, proposals, shape_yx, least_score=least_score
        )
        if region is not None:
            centres = (boxes[:, :2] + boxes[:, 2:]) / 2
            wanted = ((centres >= region[:2]) & (centres <= region[2:])).all(1)
            boxes, class_ids, scores = boxes[wanted], class_ids[wanted], scores[wanted]
        mask_logits, qualities = self.mask_branch.detect(pyramid, boxes, scores)
        return Detections(boxes, class_ids, scores, qualities, mask_logits)

    def standardise(self, images: Tensor) -> Tensor:
        """Pad with black, subtract the mean, divide by the standard deviation.

        The sides become multiples of 32 and at least 64: with less, the norms
        of the deepest stages see a single pixel.  Black is what lies beyond an image
        in training; next to grey, objects at the border of an image were missed.
        """
        padding = [
            max(_SMALLEST, -(-side // _MULTIPLE) * _MULTIPLE) - side
            for side in images.shape[-2:]
        ]
        padded = F.pad(images, (0, padding[1], 0, padding[0]))
        return (padded - self.mean).div_(self.std)
