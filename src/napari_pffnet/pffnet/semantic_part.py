"""The two semantic predictions, their losses and their consistency."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from napari_pffnet.pffnet.losses import consistency_loss, semantic_loss

if TYPE_CHECKING:
    from napari_pffnet.pffnet.backbone import Features
    from napari_pffnet.pffnet.box_branch import SampledRoIs
    from napari_pffnet.pffnet.fusion import FeatureFusion
    from napari_pffnet.pffnet.semantic import GCNSemanticBranch, InstanceSemanticHead
    from napari_pffnet.pffnet.structures import ImageTarget


def best_rois(rois: SampledRoIs) -> Tensor:
    """Return the positions of one RoI a true object: that of highest IoU.

    Only positive RoIs may be given.  As at inference, where NMS leaves one.
    """
    order = torch.argsort(rois.ious, descending=True, stable=True)
    n_objects = int(rois.objects.max()) + 1 if len(rois.objects) else 1
    key = rois.image_index[order] * n_objects + rois.objects[order]
    by_object = torch.argsort(key, stable=True)
    sorted_key = key[by_object]
    first = torch.ones_like(sorted_key, dtype=torch.bool)
    first[1:] = sorted_key[1:] != sorted_key[:-1]
    return order[by_object[first]]


@dataclass(frozen=True, slots=True)
class FusionInput:
    """Masks that are fused into the semantic map: positive RoIs and their logits."""

    rois: SampledRoIs
    mask_logits: Tensor


class InstanceSemantics(nn.Module):
    """Semantic prediction of the instance branch: F0 from P2, fused with masks."""

    def __init__(
        self, head: InstanceSemanticHead, fusion: FeatureFusion, *, best_only: bool
    ) -> None:
        super().__init__()
        self.head = head
        self.fusion = fusion
        self._best_only = best_only

    def forward(self, p2: Tensor, masks: FusionInput) -> Tensor:
        """Return (B, C + 1, Y, X) logits."""
        rois, logits = masks.rois, masks.mask_logits
        if self._best_only:
            chosen = best_rois(rois)
            rois, logits = rois.select(chosen), logits[chosen]
        fused: Tensor = self.fusion(
            self.head(p2),
            logits,
            rois.boxes,
            rois.class_ids,
            rois.image_index,
            rois.ious,
        )
        return fused


class SemanticPart(nn.Module):
    """GCN branch and, from Cell R-CNN V2 on, the semantic map of the instances."""

    def __init__(
        self,
        branch: GCNSemanticBranch,
        instances: InstanceSemantics | None,
        *,
        consistent: bool,
    ) -> None:
        super().__init__()
        self.branch = branch
        self.instances = instances
        self._consistent = consistent

    def forward(self, features: Features, shape_yx: tuple[int, int]) -> Tensor:
        """Return the (B, C + 1, Y, X) logits of the semantic branch."""
        logits: Tensor = self.branch(features.c, shape_yx)
        return logits

    def losses(
        self, features: Features, masks: FusionInput, targets: list[ImageTarget]
    ) -> dict[str, Tensor]:
        """Return the semantic losses and the consistency loss (eq. 4)."""
        shape = (4 * features.p[0].shape[-2], 4 * features.p[0].shape[-1])
        classes = torch.stack([t.semantic for t in targets])
        here = (..., slice(classes.shape[1]), slice(classes.shape[2]))
        semantic = self(features, shape)[here]
        losses = {"semantic": semantic_loss(semantic, classes)}
        if self.instances is not None:
            fused = self.instances(features.p[0], masks)[here]
            losses["semantic_instance"] = semantic_loss(fused, classes)
            if self._consistent:
                losses["consistency"] = consistency_loss(semantic, fused, classes)
        return losses
