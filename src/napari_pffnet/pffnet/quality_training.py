"""Training of the mask-quality sub-branch alone, on what the network detects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from napari_pffnet.pffnet.box_branch import SampledRoIs
from napari_pffnet.pffnet.mask_branch import quality_examples
from napari_pffnet.pffnet.matching import UNUSED, match

if TYPE_CHECKING:
    from napari_pffnet.pffnet.backbone import Features
    from napari_pffnet.pffnet.mask_branch import MaskOutput, QualityExamples
    from napari_pffnet.pffnet.network import PFFNet
    from napari_pffnet.pffnet.structures import ImageTarget

_LEAST_IOU = 0.1
"""Detections whose box overlaps every object less stand for nothing."""
_MOST = 128
"""Detections of an image that are learnt from, the best first."""


class QualityTraining(nn.Module):
    """The network as it trains its quality sub-branch, with all else fixed.

    In common training this sub-branch sees proposals around objects (section III-C
    of the paper).  At inference it is asked about other RoIs: boxes that were
    refined, that survived NMS, and some of which are no objects.  Here it learns
    from these; the target of what is no object is 0.

    Parameters
    ----------
    network
        With a quality sub-branch; all its other parameters cease to require a
        gradient, and it stays in evaluation mode.
    """

    def __init__(self, network: PFFNet) -> None:
        super().__init__()
        self.network = network.requires_grad_(False)
        if network.mask_branch.quality is None:
            raise ValueError(
                "part is 'quality' and the network has no quality branch; "
                "use variant 'pffnet' or part 'all'."
            )
        network.mask_branch.quality.requires_grad_(True)

    def forward(self, images: Tensor, targets: list[ImageTarget]) -> dict[str, Tensor]:
        """Return the loss ``quality``; arguments as `PFFNet.losses`."""
        network = self.network.eval()
        with torch.no_grad():
            features = network.backbone(network.standardise(images))
            rois = self._detect(features, targets)
            masks = network.mask_branch(features.p[:4], rois.boxes, rois.image_index)
            examples = self._examples(masks, rois, targets)
        return {"quality": network.mask_branch.quality_loss(examples)}

    def _examples(
        self, masks: MaskOutput, rois: SampledRoIs, targets: list[ImageTarget]
    ) -> list[QualityExamples]:
        """Return what is to be said of objects, and of what is none: 0."""
        positive = torch.nonzero(rois.objects >= 0).flatten()
        negative = masks.select(torch.nonzero(rois.objects < 0).flatten())
        _, examples = self.network.mask_branch.examples(
            masks.select(positive), rois.select(positive), targets
        )
        nothing = negative.logits.new_zeros(len(negative.logits))
        return [examples, quality_examples(negative, nothing)]

    def _detect(self, features: Features, targets: list[ImageTarget]) -> SampledRoIs:
        """Return what the network finds, and which object each stands for."""
        network = self.network
        height, width = targets[0].label_map.shape
        proposals = network.rpn.propose(network.rpn(features.p), (height, width))
        parts = []
        for image, (proposed, target) in enumerate(
            zip(proposals, targets, strict=True)
        ):
            pyramid = [level[image : image + 1] for level in features.p[:4]]
            boxes = network.box_branch.detect(pyramid, proposed, (height, width))[0]
            matched, iou = match(
                boxes[:_MOST],
                target.boxes,
                target.ignore,
                positive_iou=_LEAST_IOU,
                negative_iou=_LEAST_IOU,
            )
            known = torch.nonzero(matched > UNUSED).flatten()
            parts.append(
                (
                    boxes[known],
                    torch.full_like(known, image),
                    matched[known],
                    torch.zeros_like(known),
                    iou[known],
                )
            )
        return SampledRoIs(*(torch.cat(c) for c in zip(*parts, strict=True)))
