"""Label images and networks of the comparisons with torchvision."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.models import resnet50
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.backbone_utils import BackboneWithFPN
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads

from napari_pffnet.build import build_network
from napari_pffnet.config import ModelConfig
from napari_pffnet.pffnet.layers import norm_factory
from napari_pffnet.weights import place

if TYPE_CHECKING:
    from numpy.typing import NDArray


def label_scene(size: int, count: int) -> NDArray[np.int32]:
    """Return ``count`` discs on a grid that fills a square image."""
    per_side = int(np.ceil(np.sqrt(count)))
    pitch = size / per_side
    y, x = (axis + 0.5 for axis in np.mgrid[:size, :size])
    row, column = (y // pitch).astype(int), (x // pitch).astype(int)
    inside = np.hypot(y % pitch - pitch / 2, x % pitch - pitch / 2) < 0.42 * pitch
    number = row * per_side + column + 1
    return np.where(inside & (number <= count), number, 0).astype(np.int32)


def image_of(labels: NDArray[np.int32]) -> Tensor:
    """Return a noisy (1, 3, Y, X) image of a scene."""
    generator = torch.Generator().manual_seed(0)
    bright = torch.from_numpy(labels > 0).float() * 0.6
    noise = torch.rand(bright.shape, generator=generator) * 0.4
    return (bright + noise).expand(1, 3, *labels.shape).contiguous()


def paper_config(variant: str) -> ModelConfig:
    """Return the paper's widths on a ResNet-50 with GroupNorm."""
    return ModelConfig(variant=variant, backbone="resnet50", norm="group")


def our_network(variant: str) -> nn.Module:
    """Return one of our networks at the paper's widths."""
    torch.manual_seed(0)
    return place(build_network(paper_config(variant)), torch.device("cpu"))


def torchvision_network(
    size: int, proposals: int | None = None, detections: int | None = None
) -> MaskRCNN:
    """Return torchvision's Mask R-CNN with our norm, anchors and RoI numbers."""
    torch.manual_seed(0)
    config = paper_config("maskrcnn")
    norm = norm_factory("group")
    backbone = BackboneWithFPN(
        resnet50(norm_layer=norm),
        {f"layer{i}": str(i - 1) for i in (1, 2, 3, 4)},
        [256, 512, 1024, 2048],
        config.fpn_channels,
        norm_layer=norm,
    )
    return MaskRCNN(
        backbone,
        len(config.classes) + 1,
        min_size=size,
        max_size=size,
        rpn_anchor_generator=AnchorGenerator(
            tuple((int(s),) for s in config.anchor_sizes),
            (tuple(config.anchor_ratios),) * 5,
        ),
        rpn_pre_nms_top_n_train=config.rpn_pre_nms_train,
        rpn_pre_nms_top_n_test=config.rpn_pre_nms_test,
        rpn_post_nms_top_n_train=config.rpn_post_nms_train,
        rpn_post_nms_top_n_test=proposals or config.rpn_post_nms_test,
        rpn_batch_size_per_image=config.rpn_batch_per_image,
        box_batch_size_per_image=config.rois_per_image,
        box_positive_fraction=config.roi_positive_fraction,
        box_score_thresh=config.candidate_score,
        box_nms_thresh=config.nms_iou,
        box_detections_per_img=detections or config.max_detections,
        mask_head=MaskRCNNHeads(
            config.fpn_channels, (config.mask_channels,) * 4, 1, norm_layer=norm
        ),
    )
