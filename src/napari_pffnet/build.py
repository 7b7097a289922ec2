"""From options to networks: the only file that knows both."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.error import URLError

import torch
import torchvision
from torch import nn

from napari_pffnet.pffnet.backbone import STRIDES, Backbone
from napari_pffnet.pffnet.box_branch import BoxBranch, DetectionLimits, RoISampling
from napari_pffnet.pffnet.fusion import FeatureFusion
from napari_pffnet.pffnet.layers import NormFactory, norm_factory
from napari_pffnet.pffnet.mask_branch import MaskBranch
from napari_pffnet.pffnet.masks import DualModalMaskGenerator, PlainMaskHead
from napari_pffnet.pffnet.network import PFFNet, QualitySources
from napari_pffnet.pffnet.quality import MaskQualityBranch
from napari_pffnet.pffnet.rpn import (
    AnchorSampling,
    ProposalLimits,
    RegionProposalNetwork,
)
from napari_pffnet.pffnet.semantic import GCNSemanticBranch, InstanceSemanticHead
from napari_pffnet.pffnet.semantic_part import InstanceSemantics, SemanticPart

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_pffnet.config import ModelConfig

_MAX_GAIN = 16.0
"""Cap of the fused gain where every positive RoI is fused (uncapped, 64 RoIs on
one nucleus gave a loss of 1e8)."""


def _backbone(config: ModelConfig, norm: NormFactory, *, initialise: bool) -> Backbone:
    weights = "DEFAULT" if config.pretrained and initialise else None
    try:
        resnet = torchvision.models.get_model(
            config.backbone, weights=weights, norm_layer=norm
        )
    except (URLError, OSError) as error:
        raise ValueError(
            f"The ImageNet weights of {config.backbone} could not be downloaded "
            f"({error}); connect once, put torchvision's file into "
            f"{torch.hub.get_dir()}/checkpoints, or use pretrained=False."
        ) from error
    if config.in_channels != resnet.conv1.in_channels:
        resnet.conv1 = _first_conv(resnet.conv1, config, keep=weights is not None)
    return Backbone(resnet, config.fpn_channels, norm)


def _first_conv(rgb: nn.Conv2d, config: ModelConfig, *, keep: bool) -> nn.Conv2d:
    """Return the first convolution for another number of channels.

    With ``keep`` its filters are the mean of the RGB ones, scaled so that
    their response stays the same.
    """
    n = config.in_channels
    conv = nn.Conv2d(n, rgb.out_channels, 7, 2, 3, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    if keep:
        mean = rgb.weight.detach().mean(1, keepdim=True)
        conv.weight = nn.Parameter(mean.repeat(1, n, 1, 1) * rgb.in_channels / n)
    return conv


def _rpn(config: ModelConfig) -> RegionProposalNetwork:
    sampling = AnchorSampling(
        config.rpn_batch_per_image,
        config.rpn_positive_fraction,
        config.rpn_positive_iou,
        config.rpn_negative_iou,
    )
    train = ProposalLimits(
        config.rpn_pre_nms_train, config.rpn_post_nms_train, config.rpn_nms_iou, 0.0
    )
    test = ProposalLimits(
        config.rpn_pre_nms_test,
        config.rpn_post_nms_test,
        config.rpn_nms_iou,
        config.rpn_min_score,
    )
    return RegionProposalNetwork(
        config.fpn_channels,
        strides=STRIDES,
        sizes=config.anchor_sizes,
        ratios=config.anchor_ratios,
        sampling=sampling,
        train_limits=train,
        test_limits=test,
    )


def _box_branch(config: ModelConfig) -> BoxBranch:
    return BoxBranch(
        config.fpn_channels,
        hidden=config.box_hidden,
        n_classes=len(config.classes),
        sampling=RoISampling(
            config.rois_per_image, config.roi_positive_fraction, config.roi_positive_iou
        ),
        limits=DetectionLimits(
            config.candidate_score,
            config.nms_iou,
            config.vote_iou,
            config.max_detections,
        ),
        chunk=config.roi_chunk,
    )


def _mask_branch(config: ModelConfig, norm: NormFactory) -> MaskBranch:
    channels, quality = config.fpn_channels, None
    generator: nn.Module
    if config.has_dual_modal_masks:
        generator = DualModalMaskGenerator(
            channels, config.mask_channels, config.mask_fc_channels, norm=norm
        )
    else:
        generator = PlainMaskHead(channels, config.mask_channels, norm=norm)
    if config.has_quality_branch:
        quality = MaskQualityBranch(
            channels,
            config.quality_channels,
            config.quality_hidden,
            norm=norm,
            sees_size=config.quality_sees_size,
            sees_score=config.quality_sees_score,
            sees_certainty=config.quality_sees_certainty,
        )
    return MaskBranch(
        generator, quality, chunk=config.roi_chunk, quality_loss=config.quality_loss
    )


def _semantic_part(
    config: ModelConfig, stage_channels: list[int], norm: NormFactory
) -> SemanticPart | None:
    if not config.has_semantic_branch:
        return None
    n_outputs = len(config.classes) + 1
    branch = GCNSemanticBranch(
        stage_channels, config.semantic_channels, n_outputs, norm=norm
    )
    instances = None
    if config.has_fusion:
        fusion = FeatureFusion(
            config.fusion_kind,
            len(config.classes),
            config.fusion_channels,
            norm=norm,
            max_gain=_MAX_GAIN if config.fusion_rois == "all" else None,
            detach=config.fusion_detach,
        )
        instances = InstanceSemantics(
            InstanceSemanticHead(config.fpn_channels, n_outputs),
            fusion,
            best_only=config.fusion_rois == "best",
        )
    return SemanticPart(branch, instances, consistent=config.has_consistency)


def _pffnet(config: ModelConfig, *, initialise: bool) -> PFFNet:
    norm = norm_factory(config.norm)
    backbone = _backbone(config, norm, initialise=initialise)
    return PFFNet(
        backbone,
        _rpn(config),
        _box_branch(config),
        _mask_branch(config, norm),
        _semantic_part(config, backbone.stage_channels, norm),
        mean=config.input_mean,
        std=config.input_std,
        loss_weights=config.loss_weights.model_dump(),
        quality_sources=QualitySources(
            config.quality_on_refined, config.quality_on_negatives
        ),
    )


ARCHITECTURES: dict[str, Callable[..., nn.Module]] = {"pffnet": _pffnet}
"""Builders by the name of the architecture in `ModelConfig`."""


def build_network(config: ModelConfig, *, initialise: bool = False) -> nn.Module:
    """Return a network of the shape that ``config`` describes.

    Parameters
    ----------
    config
        Architecture and widths.
    initialise
        Also load torchvision's ImageNet weights where ``config.pretrained``
        asks for them; a checkpoint brings its own.

    Raises
    ------
    ValueError
        If the architecture is unknown, or the ImageNet weights can't be had.
    """
    builder = ARCHITECTURES.get(config.architecture)
    if builder is None:
        raise ValueError(
            f"Unknown architecture {config.architecture!r}; "
            f"known are {', '.join(sorted(ARCHITECTURES))}."
        )
    return builder(config, initialise=initialise)
