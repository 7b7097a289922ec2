"""Options of a training run."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator

from napari_pffnet.config.base import (
    MOST_THREADS,
    Config,
    PositiveInt,
    Precision,
    Unit,
)
from napari_pffnet.config.checkpoint import NormalizationConfig
from napari_pffnet.config.network import ModelConfig
from napari_pffnet.provenance import DataSource

# A crop of much smaller objects is cut from more pixels than memory holds.
_Factor = Annotated[float, Field(ge=0.05, le=20)]


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
    scale: tuple[_Factor, _Factor] = Field(
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
    empty: Unit = Field(
        0.0, description="Chance of a crop of uneven light and noise, without objects."
    )

    @field_validator("scale")
    @classmethod
    def _check_scale(cls, scale: tuple[float, float]) -> tuple[float, float]:
        if scale[0] > scale[1]:
            raise ValueError(
                f"scale {scale[0]} to {scale[1]} is no range; give its lower end first."
            )
        return scale


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
    warmup: int = Field(
        200, ge=0, description="Steps of linear warm-up, at most a fifth of all."
    )
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
    precision: Precision = Field("auto", description="auto: 16 bits on CUDA.")
    validate_every: PositiveInt = Field(500, description="Steps between validations.")
    patience: int = Field(
        0, ge=0, description="Stop after so many validations without gain; 0: never."
    )
    validation_images: int = Field(
        0, ge=0, description="Validate on at most so many images; 0: on all."
    )
    validation_size: int = Field(
        2048,
        ge=0,
        description="Validate on at most a square of this side of each image, that "
        "with the most objects, pixels; 0: on whole images, whatever memory they take.",
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
    threads: int = Field(
        0, ge=0, le=MOST_THREADS, description="CPU threads; 0: as torch chooses."
    )
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
        try:
            content = tomllib.loads(Path(path).read_text("utf-8"))
        except ValueError as error:
            raise ValueError(f"{path} is no recipe in TOML: {error}.") from error
        return cls.model_validate(content)
