"""Box sub-branch: class and refined box of each RoI."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead

from napari_pffnet.pffnet import boxes as box_ops
from napari_pffnet.pffnet.losses import box_loss
from napari_pffnet.pffnet.matching import match, sample
from napari_pffnet.pffnet.nms import batched_nms, vote
from napari_pffnet.pffnet.pooling import pool

if TYPE_CHECKING:
    from napari_pffnet.pffnet.structures import ImageTarget

_WEIGHTS = (10.0, 10.0, 5.0, 5.0)
_POOL = 7


@dataclass(frozen=True, slots=True)
class RoISampling:
    """Which RoIs are trained on."""

    per_image: int
    positive_fraction: float
    positive_iou: float


@dataclass(frozen=True, slots=True)
class DetectionLimits:
    """What counts as a candidate at inference."""

    min_score: float
    nms_iou: float
    vote_iou: float
    per_image: int


@dataclass(frozen=True, slots=True)
class SampledRoIs:
    """RoIs of a batch that are trained on.

    Attributes
    ----------
    boxes
        (R, 4) in pixels.
    image_index
        (R,) image of the batch.
    objects
        (R,) object each stands for, -1 for background.
    class_ids
        (R,) class of that object, 0 for background.
    ious
        (R,) largest IoU with any object.
    """

    boxes: Tensor
    image_index: Tensor
    objects: Tensor
    class_ids: Tensor
    ious: Tensor

    def select(self, index: Tensor) -> SampledRoIs:
        """Return the RoIs at ``index``."""
        return SampledRoIs(
            self.boxes[index],
            self.image_index[index],
            self.objects[index],
            self.class_ids[index],
            self.ious[index],
        )

    @property
    def positive(self) -> SampledRoIs:
        """The RoIs that stand for an object."""
        return self.select(self.objects >= 0)


@dataclass(frozen=True, slots=True)
class BoxOutput:
    """Class logits (R, C + 1) and regressions (R, C + 1, 4) of RoIs."""

    class_logits: Tensor
    deltas: Tensor


@torch.no_grad()
def sample_rois(
    proposals: list[Tensor], targets: list[ImageTarget], sampling: RoISampling
) -> SampledRoIs:
    """Match proposals, and the true boxes themselves, with the objects."""
    parts = []
    for image, (proposed, target) in enumerate(zip(proposals, targets, strict=True)):
        candidates = torch.cat([proposed, target.boxes])
        matched, iou = match(
            candidates,
            target.boxes,
            target.ignore,
            positive_iou=sampling.positive_iou,
            negative_iou=sampling.positive_iou,
        )
        rows = sample(
            matched,
            size=sampling.per_image,
            positive_fraction=sampling.positive_fraction,
        )
        classes = torch.cat([target.class_ids, target.class_ids.new_zeros(1)])
        index = torch.full_like(rows, image)
        parts.append(
            (candidates[rows], index, matched[rows], classes[matched[rows]], iou[rows])
        )
    return SampledRoIs(*(torch.cat(column) for column in zip(*parts, strict=True)))


class BoxBranch(nn.Module):
    """Two fully connected layers on 7 x 7 features."""

    def __init__(
        self,
        channels: int,
        *,
        hidden: int,
        n_classes: int,
        sampling: RoISampling,
        limits: DetectionLimits,
        chunk: int,
    ) -> None:
        super().__init__()
        self.head = TwoMLPHead(channels * _POOL**2, hidden)
        self.predictor = FastRCNNPredictor(hidden, n_classes + 1)
        self.sampling = sampling
        self._limits = limits
        self._chunk = chunk

    def forward(
        self, pyramid: list[Tensor], boxes: Tensor, image_index: Tensor
    ) -> BoxOutput:
        """Classify and refine boxes (R, 4) on P2..P5."""
        features = pool(pyramid, boxes, image_index, _POOL)
        logits, deltas = self.predictor(self.head(features))
        return BoxOutput(logits.float(), deltas.float().unflatten(1, (-1, 4)))

    def losses(
        self, output: BoxOutput, rois: SampledRoIs, targets: list[ImageTarget]
    ) -> dict[str, Tensor]:
        """Return ``box_class`` (cross entropy) and ``box_regression`` (smooth L1)."""
        n = len(rois.boxes)
        classification = F.cross_entropy(
            output.class_logits, rois.class_ids, reduction="sum"
        )
        positive = torch.nonzero(rois.objects >= 0).flatten()
        chosen = rois.select(positive)
        wanted = box_ops.encode(true_boxes(chosen, targets), chosen.boxes, _WEIGHTS)
        predicted = output.deltas[positive, chosen.class_ids]
        return {
            "box_class": classification / max(n, 1),
            "box_regression": box_loss(predicted, wanted, n),
        }

    def refine(self, boxes: Tensor, deltas: Tensor) -> Tensor:
        """Return the boxes that regressions of this branch make of ``boxes``."""
        return box_ops.decode(deltas, boxes, _WEIGHTS)

    def detect(
        self,
        pyramid: list[Tensor],
        proposals: Tensor,
        shape_yx: tuple[int, int],
        *,
        least_score: float = 0.0,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return boxes, class ids and scores of one image's candidates, best first.

        ``pyramid`` holds P2..P5 of that image alone; candidates of a score below
        ``least_score`` and the limits are left out.
        """
        logits, deltas = [], []
        for part in proposals.split(self._chunk):
            output = self(pyramid, part, torch.zeros_like(part[:, 0]))
            logits.append(output.class_logits)
            deltas.append(output.deltas)
        scores = torch.cat(logits).softmax(1)[:, 1:]
        least = max(least_score, self._limits.min_score)
        roi, category = torch.nonzero(scores >= least, as_tuple=True)
        refined = self.refine(proposals[roi], torch.cat(deltas)[roi, category + 1])
        boxes, category, score = self._select(
            box_ops.clip(refined, shape_yx), category, scores[roi, category]
        )
        # Means of boxes at the border may lie beyond it by a rounding.
        return box_ops.clip(boxes, shape_yx), category + 1, score

    def _select(
        self, boxes: Tensor, category: Tensor, score: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """NMS and votes, category by category; (N, 4), (N,) and (N,)."""
        usable = box_ops.has_extent(boxes)
        boxes, category, score = boxes[usable], category[usable], score[usable]
        keep = batched_nms(boxes, score, category, self._limits.nms_iou)
        keep = keep[: self._limits.per_image]
        moved = vote(boxes, score, category, self._limits.vote_iou)
        return moved[keep], category[keep], score[keep]


def true_boxes(rois: SampledRoIs, targets: list[ImageTarget]) -> Tensor:
    """Return the true box (R, 4) of each positive RoI."""
    return gather(rois, [t.boxes for t in targets])


def gather(rois: SampledRoIs, values: list[Tensor]) -> Tensor:
    """Look up a value of each positive RoI's object, given per image."""
    counts = torch.tensor([len(v) for v in values], device=rois.boxes.device)
    start = torch.cat([counts.new_zeros(1), counts.cumsum(0)[:-1]])
    return torch.cat(values)[start[rois.image_index] + rois.objects]
