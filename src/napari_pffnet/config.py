"""Every option of the package, once: default, limits, unit and help.

The command line, the forms of the GUI, the recipes and the checkpoints all
derive from these models.  Nothing here imports torch.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from napari_pffnet.provenance import DataSource

Unit = Annotated[float, Field(ge=0, le=1)]
"""A number between 0 and 1, both included."""
PositiveInt = Annotated[int, Field(gt=0)]

Variant = Literal["maskrcnn", "cellrcnn", "cellrcnn_v2", "pffnet"]
FusionKind = Literal["replace", "sum", "attention", "residual_attention"]
Precision = Literal["auto", "float32", "bfloat16", "float16"]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class Config(BaseModel):
    """Base of all options: frozen, and unknown names are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Region(Config):
    """A half-open rectangle of an image, pixels."""

    y0: int
    x0: int
    y1: int
    x1: int


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
        ("object",), min_length=1, description="Object classes, in id order from 1."
    )
    in_channels: PositiveInt = Field(3, description="Channels of the input image.")
    input_mean: tuple[float, ...] = Field(
        (0.5,), description="Subtracted from images in [0, 1]; one or one a channel."
    )
    input_std: tuple[float, ...] = Field(
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

    anchor_sizes: tuple[float, ...] = Field(
        (8, 16, 32, 64, 128), description="Side of the anchors of P2..P6, pixels."
    )
    anchor_ratios: tuple[float, ...] = Field((0.5, 1, 2), description="Height / width.")

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
    loss_weights: LossWeights = LossWeights()

    candidate_score: Unit = Field(0.05, description="Lowest score that is kept at all.")
    nms_iou: Unit = Field(0.5, description="Box NMS among detections.")
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
        """ImageNet weights come with the input they were trained on."""
        if isinstance(data, dict) and data.get("pretrained"):
            return {"input_mean": IMAGENET_MEAN, "input_std": IMAGENET_STD} | data
        return data

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(self.anchor_sizes) != 5:
            raise ValueError(
                f"anchor_sizes has {len(self.anchor_sizes)} values; "
                "give five, one for each of P2 to P6."
            )
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
    "rpn_min_score": 0.02,
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


class NormalizationConfig(Config):
    """From raw intensities to [0, 1]."""

    low: float = Field(1.0, ge=0, lt=100, description="Percentile that becomes 0.")
    high: float = Field(99.8, gt=0, le=100, description="Percentile that becomes 1.")
    noise_factor: float = Field(
        8.0, ge=0, description="The range is at least so many times the noise."
    )
    channel_names: tuple[str, ...] = Field(
        ("DAPI", "Hoechst", "nuclei", "nuclear", "DNA"),
        description="Names by which the channel to segment is found.",
    )


class Thresholds(Config):
    """What turns candidates into objects; chosen on validation images."""

    score: Unit = Field(0.5, description="beta: lowest classification score.")
    covered: Unit = Field(
        0.7, description="An object covered more than this by better ones is dropped."
    )


class CheckpointInfo(Config):
    """What a checkpoint says of itself: the metadata of the safetensors file."""

    format_version: int = 1
    name: str = "model"
    description: str = Field("", description="What it finds, in a sentence.")
    model: ModelConfig
    normalization: NormalizationConfig = NormalizationConfig()
    thresholds: Thresholds = Thresholds()
    diameter: float = Field(28.0, gt=0, description="Typical object, pixels.")
    diameter_range: tuple[float, float] = Field(
        (8.0, 80.0), description="Object sizes seen in training, pixels."
    )
    tile_size: PositiveInt = Field(1024, description="Validated tile size, pixels.")
    licence: str = "unknown"
    data: tuple[DataSource, ...] = Field((), description="Images it learned from.")
    training: dict[str, Any] = Field(default_factory=dict, description="Record.")
    scores: dict[str, Any] = Field(
        default_factory=dict, description="Scores of the released weights, by set."
    )
    versions: dict[str, str] = Field(default_factory=dict)


class SegmentConfig(Config):
    """Options of one segmentation."""

    diameter: Literal["auto"] | Annotated[float, Field(gt=0)] = Field(
        "auto", description="Expected diameter of the objects in pixels, or auto."
    )
    axes: str | None = Field(
        None, description="Axes of the image in order, e.g. YXC; default: as stored."
    )
    channels: tuple[int | str, ...] = Field(
        (), description="Channels to use, by number from 0 or by name."
    )
    tile: Literal["auto"] | Annotated[int, Field(ge=0)] = Field(
        "auto", description="Tile size in pixels; 0: never tile."
    )
    score_threshold: Unit | None = Field(
        None, description="Lowest classification score; default: the model's own."
    )
    precision: Precision = Field("auto", description="Arithmetic of the network.")


class DataConfig(Config):
    """How images and labels are read for training."""

    axes: str | None = Field(
        None, description="Axes of the images in order, e.g. YXC; default: as stored."
    )
    channels: tuple[int | str, ...] = Field(
        (), description="Channels to use, by number from 0 or by name."
    )
    images: str | None = Field(
        None,
        description="Folder of the images of a COCO file; default: images/ beside it, "
        "or its own.",
    )
    split_binary: bool = Field(
        False, description="Make each region of a binary mask an object of its own."
    )


class AugmentConfig(Config):
    """Random changes of the training crops."""

    flips: bool = True
    rotations: bool = Field(True, description="By multiples of 90 degrees.")
    scale: tuple[float, float] = Field(
        (0.6, 1.7), description="Range of the random magnification."
    )
    intensity: Unit = Field(0.5, description="Chance to change brightness, contrast.")
    invert: Unit = Field(0.0, description="Chance to invert intensities.")
    blur: Unit = Field(0.15, description="Chance of a Gaussian blur.")
    median_blur: Unit = Field(0.05, description="Chance of a median blur.")
    noise: Unit = Field(0.15, description="Chance of Gaussian noise.")
    illumination: Unit = Field(
        0.0, description="Chance of light that falls off across the crop."
    )
    color: Unit = Field(0.0, description="Chance of stain changes (histology, RGB).")
    grayscale: Unit = Field(0.0, description="Chance to turn RGB into grey.")


class TrainConfig(Config):
    """Options of one training run."""

    part: Literal["all", "quality"] = Field(
        "all",
        description="What is trained; quality: the mask-quality branch alone, on what "
        "the network detects, while all else stays as in the base.",
    )
    iterations: PositiveInt = Field(3000, description="Optimizer steps in all.")
    batch_size: PositiveInt = Field(2, description="Crops a forward pass.")
    accumulate: PositiveInt = Field(1, description="Forward passes a step.")
    crop_size: int = Field(256, ge=64, description="Side of the crops, pixels.")
    optimizer: Literal["sgd", "adamw"] = "adamw"
    learning_rate: float = Field(2e-4, gt=0)
    weight_decay: float = Field(1e-4, ge=0)
    momentum: Unit = Field(0.9, description="Of SGD.")
    warmup: int = Field(200, ge=0, description="Steps of linear warm-up.")
    schedule: Literal["step", "cosine", "constant"] = Field(
        "cosine", description="step: x 0.1 at 3/4 of the run."
    )
    clip_gradient: float = Field(
        10.0, ge=0, description="Largest norm of the gradient; 0: any."
    )
    ema_decay: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Decay a step of the running mean of the weights, which is then "
        "what is validated and written; 0: the weights themselves.",
    )
    precision: Precision = Field("auto", description="auto: bfloat16 on CUDA.")
    validate_every: PositiveInt = Field(500, description="Steps between validations.")
    patience: int = Field(
        0, ge=0, description="Stop after so many validations without gain; 0: never."
    )
    validation_images: int = Field(
        0, ge=0, description="Validate on at most so many images; 0: on all."
    )
    validation_size: int = Field(
        0,
        ge=0,
        description="Validate on a square of this side of each image, that with the "
        "most objects, pixels; 0: on whole images.",
    )
    rehearsal: float = Field(
        0.0,
        ge=0,
        le=0.9,
        description="Share of the crops from the bundled samples, so that a base model "
        "forgets less.",
    )
    seed: int = Field(0, ge=0)
    workers: int = Field(0, ge=0, description="Processes that prepare crops.")
    threads: int = Field(0, ge=0, description="CPU threads; 0: as torch chooses.")
    tensorboard: bool = Field(False, description="Also write a log for TensorBoard.")
    augment: AugmentConfig = AugmentConfig()


class Recipe(Config):
    """A training recipe: a file in ``recipes/`` or one of the user's."""

    name: str = "model"
    description: str = Field("", description="What the model finds, in a sentence.")
    licence: str = "unknown"
    data: tuple[DataSource, ...] = Field((), description="Where the images are from.")
    model: ModelConfig = ModelConfig()
    train: TrainConfig = TrainConfig()
    normalization: NormalizationConfig = NormalizationConfig()

    @classmethod
    def from_file(cls, path: str | Path) -> Self:
        """Read a recipe from a TOML file."""
        return cls.model_validate(tomllib.loads(Path(path).read_text("utf-8")))
