"""Mask generator and mask-quality sub-branch on the same RoI features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from napari_pffnet.pffnet.box_branch import SampledRoIs, gather
from napari_pffnet.pffnet.losses import mask_loss
from napari_pffnet.pffnet.masks import object_logits
from napari_pffnet.pffnet.pooling import pool
from napari_pffnet.pffnet.quality import (
    MaskQualityBranch,
    QualityLoss,
    quality_loss,
    quality_targets,
)
from napari_pffnet.pffnet.targets import MaskTargets, mask_targets

if TYPE_CHECKING:
    from napari_pffnet.pffnet.structures import ImageTarget

_POOL = 14
_CPU_CHUNK = 32
"""RoIs a pass on a CPU, where activations that fit its cache are 15 % faster."""


@dataclass(frozen=True, slots=True)
class MaskOutput:
    """RoI features (R, C, 14, 14), mask logits (R, 1 or 2, 28, 28), boxes (R, 4)."""

    features: Tensor
    logits: Tensor
    boxes: Tensor

    def select(self, index: Tensor) -> MaskOutput:
        """Return those of the RoIs at ``index``."""
        return MaskOutput(self.features[index], self.logits[index], self.boxes[index])


@dataclass(frozen=True, slots=True)
class QualityExamples:
    """What the quality sub-branch learns from: one row a RoI."""

    features: Tensor
    object_logits: Tensor
    boxes: Tensor
    wanted: Tensor


def quality_examples(output: MaskOutput, wanted: Tensor) -> QualityExamples:
    """Return what quality learns if it shall say ``wanted`` (R,) of masks."""
    logits = object_logits(output.logits).detach()
    return QualityExamples(output.features, logits, output.boxes, wanted)


class MaskBranch(nn.Module):
    """Masks of RoIs and, where ``quality`` is given, how good each is.

    Parameters
    ----------
    generator
        (R, C, 14, 14) features to (R, 1 or 2, 28, 28) logits, object last.
    quality
        The mask-quality sub-branch (section III-C), or None.
    chunk
        RoIs a pass at inference.
    quality_loss
        What the quality learns with.
    """

    def __init__(
        self,
        generator: nn.Module,
        quality: MaskQualityBranch | None,
        *,
        chunk: int,
        quality_loss: QualityLoss = "l2",
    ) -> None:
        super().__init__()
        self.generator = generator
        self.quality = quality
        self._chunk = chunk
        self._quality_loss: QualityLoss = quality_loss

    def forward(
        self, pyramid: list[Tensor], boxes: Tensor, image_index: Tensor
    ) -> MaskOutput:
        """Return features and mask logits of boxes (R, 4) on P2..P5."""
        features = pool(pyramid, boxes, image_index, _POOL)
        return MaskOutput(features, self.generator(features).float(), boxes)

    def examples(
        self, output: MaskOutput, rois: SampledRoIs, targets: list[ImageTarget]
    ) -> tuple[MaskTargets, QualityExamples]:
        """Return the mask targets of positive RoIs and what quality learns of them."""
        logits = object_logits(output.logits)
        truth = mask_targets(
            targets, rois.boxes, rois.image_index, rois.objects, logits.shape[-1]
        )
        areas = gather(rois, [t.areas for t in targets])
        wanted = quality_targets(logits, truth.covered, rois.boxes, areas, truth.known)
        return truth, quality_examples(output, wanted)

    def mask_loss(self, output: MaskOutput, truth: MaskTargets) -> Tensor:
        """Return the BCE of the object channel."""
        return mask_loss(object_logits(output.logits), truth.covered, truth.known)

    def quality_loss(self, examples: list[QualityExamples]) -> Tensor:
        """Return the loss of the quality sub-branch over all examples."""
        assert self.quality is not None
        logits = self.quality.logits(
            torch.cat([e.features for e in examples]),
            torch.cat([e.object_logits for e in examples]),
            torch.cat([e.boxes for e in examples]),
        )
        wanted = torch.cat([e.wanted for e in examples])
        return quality_loss(logits, wanted, self._quality_loss)

    def detect(
        self, pyramid: list[Tensor], boxes: Tensor, scores: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return object logits (N, 28, 28) and qualities (N,) of one image's objects.

        Their boxes are (N, 4) in pixels, their classification scores (N,).
        """
        logits, qualities = [], []
        chunk = self._chunk if boxes.is_cuda else min(self._chunk, _CPU_CHUNK)
        for part, score in zip(boxes.split(chunk), scores.split(chunk), strict=True):
            output = self(pyramid, part, torch.zeros_like(part[:, 0]))
            logits.append(object_logits(output.logits))
            qualities.append(self._estimate(output, score))
        return torch.cat(logits), torch.cat(qualities)

    def _estimate(self, output: MaskOutput, scores: Tensor) -> Tensor:
        if self.quality is None:
            return output.logits.new_full((len(output.logits),), torch.nan)
        quality: Tensor = self.quality(
            output.features, object_logits(output.logits), output.boxes, scores
        )
        return quality.float()
