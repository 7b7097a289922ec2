"""The shape of a network."""

from __future__ import annotations

from collections import Counter
from statistics import fmean
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from napari_pffnet.config.base import Config, PositiveFloat, PositiveInt, Unit

Variant = Literal["maskrcnn", "cellrcnn", "cellrcnn_v2", "pffnet"]
FusionKind = Literal["replace", "sum", "attention", "residual_attention"]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
MOST_CLASSES = 255
"""A class map has 8 bits, and 0 is background."""


class LossWeights(Config):
    """Weights of the terms of eq. 5 of the PFFNet paper."""

    rpn_objectness: float = Field(1.0, ge=0, description="RPN objectness.")
    rpn_box: float = Field(1.0, ge=0, description="RPN box regression.")
    box_class: float = Field(1.0, ge=0, description="Class of a RoI.")
    box_regression: float = Field(1.0, ge=0, description="Box of a RoI.")
    mask: float = Field(1.0, ge=0, description="Mask of a RoI.")
    quality: float = Field(1.0, ge=0, description="Quality of a mask.")
    semantic: float = Field(
        0.1, ge=0, description="alpha1: semantic loss of the semantic branch."
    )
    semantic_instance: float = Field(
        0.1, ge=0, description="alpha1: semantic loss of the instance branch."
    )
    consistency: float = Field(
        1.0, ge=0, description="alpha2: distance of the two semantic maps."
    )


class ModelConfig(Config):
    """Shape of a network.  The defaults are those of the PFFNet paper."""

    architecture: str = Field("pffnet", description="Name in the registry.")
    variant: Variant = Field(
        "pffnet", description="PFFNet or one of the baselines it grew from."
    )
    classes: tuple[str, ...] = Field(
        ("object",), description="Object classes, in id order from 1."
    )
    in_channels: PositiveInt = Field(3, description="Channels of the input image.")
    input_mean: tuple[float, ...] = Field(
        (0.5,), description="Subtracted from images in [0, 1]; one or one a channel."
    )
    input_std: tuple[PositiveFloat, ...] = Field(
        (0.25,), description="Divides them after that; one or one a channel."
    )

    backbone: Literal["resnet18", "resnet34", "resnet50", "resnet101"] = "resnet101"
    norm: Literal["group", "batch", "frozen_batch"] = "group"
    pretrained: bool = Field(
        False, description="Start from torchvision's ImageNet weights (frozen_batch)."
    )

    fpn_channels: PositiveInt = 256
    box_hidden: PositiveInt = Field(1024, description="Units of the box head's FCs.")
    mask_channels: PositiveInt = Field(256, description="Width of the mask head.")
    mask_fc_channels: PositiveInt = Field(
        128, description="Channels that enter the FC path of the mask generator."
    )
    quality_channels: PositiveInt = 256
    quality_hidden: PositiveInt = 1024
    semantic_channels: PositiveInt = Field(
        64, description="Width of the GCN decoder of the semantic branch."
    )
    fusion_channels: PositiveInt = Field(
        32, description="Width of the convolution behind the feature fusion."
    )

    anchor_sizes: tuple[PositiveFloat, ...] = Field(
        (8, 16, 32, 64, 128), description="Side of the anchors of P2..P6, pixels."
    )
    anchor_ratios: tuple[PositiveFloat, ...] = Field(
        (0.5, 1, 2), description="Height / width."
    )

    rpn_batch_per_image: PositiveInt = Field(256, description="Anchors an image.")
    rpn_positive_fraction: Unit = 0.5
    rpn_positive_iou: Unit = 0.7
    rpn_negative_iou: Unit = 0.3
    rpn_pre_nms_train: PositiveInt = Field(
        2000, description="Proposals a level before NMS."
    )
    rpn_pre_nms_test: PositiveInt = Field(
        6000, description="Proposals a level before NMS."
    )
    rpn_post_nms_train: PositiveInt = Field(2000, description="Proposals an image.")
    rpn_post_nms_test: PositiveInt = Field(4000, description="Proposals an image.")
    rpn_min_score: Unit = Field(
        0.0, description="Proposals of lower objectness are dropped at inference."
    )
    rpn_nms_iou: Unit = 0.7

    rois_per_image: PositiveInt = Field(256, description="RoIs an image in training.")
    roi_positive_fraction: Unit = 0.25
    roi_positive_iou: Unit = 0.5

    fusion: FusionKind = "residual_attention"
    fusion_rois: Literal["best", "all"] = Field(
        "best", description="One RoI a true object, or every positive RoI."
    )
    fusion_detach: bool = Field(
        False, description="Keep the fusion's gradient out of the mask generator."
    )
    quality_on_refined: bool = Field(
        False, description="Train quality also on the refined boxes."
    )
    quality_on_negatives: bool = Field(
        False, description="Train quality also on hard negatives, with target 0."
    )
    quality_sees_size: bool = Field(
        False, description="Tell the quality branch the width and height of the RoI."
    )
    quality_sees_score: bool = Field(
        False, description="Add the classification score, as weighed by calibration."
    )
    quality_sees_certainty: bool = Field(
        False, description="Add how certain the mask is of its pixels, as weighed."
    )
    quality_loss: Literal["l2", "bce"] = Field(
        "l2", description="Loss of the quality branch: squared error or cross entropy."
    )
    loss_weights: LossWeights = LossWeights()

    candidate_score: Unit = Field(0.05, description="Lowest score that is kept at all.")
    nms_iou: Unit = Field(0.5, description="Box NMS among detections.")
    vote_iou: float = Field(
        0.6,
        gt=0,
        le=1,
        description="Boxes that overlap a detection more vote on its place; 1: off.",
    )
    max_detections: PositiveInt = Field(4000, description="Detections an image.")
    roi_chunk: PositiveInt = Field(256, description="RoIs a pass through the heads.")

    @property
    def has_semantic_branch(self) -> bool:
        """Whether the network has the GCN branch (Cell R-CNN and later)."""
        return self.variant != "maskrcnn"

    @property
    def has_fusion(self) -> bool:
        """Whether masks are fused into a semantic map (Cell R-CNN V2 and later)."""
        return self.variant in ("cellrcnn_v2", "pffnet")

    @property
    def has_dual_modal_masks(self) -> bool:
        """Whether masks come from the dual-modal generator."""
        return self.variant in ("cellrcnn_v2", "pffnet")

    @property
    def has_quality_branch(self) -> bool:
        """Whether the network estimates the quality of its masks."""
        return self.variant == "pffnet"

    @property
    def has_consistency(self) -> bool:
        """Whether the two semantic maps are drawn together (eq. 4)."""
        return self.variant == "pffnet"

    @property
    def fusion_kind(self) -> FusionKind:
        """The fusion in use: Cell R-CNN V2 always replaces."""
        return "replace" if self.variant == "cellrcnn_v2" else self.fusion

    @model_validator(mode="before")
    @classmethod
    def _imagenet_input(cls, data: Any) -> Any:
        """ImageNet weights come with the input they were trained on.

        Channels that are not its three colours have the mean of those.
        """
        if not isinstance(data, dict) or not data.get("pretrained"):
            return data
        mean, std = IMAGENET_MEAN, IMAGENET_STD
        if data.get("in_channels", 3) == 3:
            return {"input_mean": mean, "input_std": std} | data
        return {"input_mean": (fmean(mean),), "input_std": (fmean(std),)} | data

    @field_validator("classes")
    @classmethod
    def _check_classes(cls, classes: tuple[str, ...]) -> tuple[str, ...]:
        if not 1 <= len(classes) <= MOST_CLASSES:
            raise ValueError(
                f"classes has {len(classes)} names; give 1 to {MOST_CLASSES}, as many "
                "as a class map can tell apart."
            )
        name, count = Counter(classes).most_common(1)[0]
        if count > 1:
            raise ValueError(
                f"classes has the name {name!r} {count} times; give each class a name "
                "of its own."
            )
        return classes

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(self.anchor_sizes) != 5:
            raise ValueError(
                f"anchor_sizes has {len(self.anchor_sizes)} values; "
                "give five, one for each of P2 to P6."
            )
        if not self.anchor_ratios:
            raise ValueError("anchor_ratios has no values; give one or more, as 1.")
        for name in ("input_mean", "input_std"):
            if len(getattr(self, name)) not in (1, self.in_channels):
                raise ValueError(
                    f"{name} has {len(getattr(self, name))} values for "
                    f"{self.in_channels} channels; give one, or one a channel."
                )
        if self.pretrained and self.norm != "frozen_batch":
            raise ValueError(
                f"pretrained ImageNet weights are BatchNorm weights and norm is "
                f"{self.norm!r}; use norm='frozen_batch' or pretrained=False."
            )
        return self


DENSE: dict[str, Any] = {
    "rpn_min_score": 0.1,
    "rpn_pre_nms_test": 12000,
    "rpn_post_nms_test": 10000,
    "max_detections": 8000,
}
"""Limits for images of thousands of objects; sparse ones have fewer proposals of
that score and pay nothing."""

SMALL: dict[str, Any] = {
    "backbone": "resnet18",
    "fpn_channels": 128,
    "box_hidden": 512,
    "mask_channels": 128,
    "mask_fc_channels": 16,
    "quality_channels": 128,
    "quality_hidden": 256,
    "semantic_channels": 32,
    "fusion_channels": 16,
    **DENSE,
}
"""Widths of the bundled models: under 24 M parameters with ResNet-18."""
