"""What goes with the weights: normalisation, thresholds, description."""

from __future__ import annotations

from typing import Any, Self

from pydantic import Field, model_validator

from napari_pffnet.config.base import Config, PositiveInt, Unit
from napari_pffnet.config.network import ModelConfig
from napari_pffnet.provenance import DataSource


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

    @model_validator(mode="after")
    def _check_range(self) -> Self:
        if self.low >= self.high:
            raise ValueError(
                f"low {self.low} and high {self.high} are no range of percentiles; "
                "give the lower one as low."
            )
        return self


class Thresholds(Config):
    """What turns candidates into objects; chosen on validation images."""

    score: Unit = Field(0.5, description="beta: lowest classification score.")
    covered: Unit = Field(
        0.7, description="An object covered more than this by better ones is dropped."
    )


_OFTEN = 2 / 3
"""Of the largest size in training: larger objects come from magnified crops alone, and
at 105 of 112 pixels the bundled model had a PQ of 0.64, reduced to half one of 0.72."""


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
    least_diameter: float = Field(
        11.0,
        ge=0,
        description="Smaller objects are magnified, seen in training or not, pixels.",
    )
    magnified_diameter: float | None = Field(
        None,
        gt=0,
        description="Size that they are magnified to, pixels; None: the typical one.",
    )
    tile_size: PositiveInt = Field(1024, description="Validated tile size, pixels.")
    licence: str = "unknown"
    data: tuple[DataSource, ...] = Field((), description="Images it learned from.")
    training: dict[str, Any] = Field(default_factory=dict, description="Record.")
    scores: dict[str, Any] = Field(
        default_factory=dict, description="Scores of the released weights, by set."
    )
    versions: dict[str, str] = Field(default_factory=dict)

    @property
    def unscaled_range(self) -> tuple[float, float]:
        """Sizes of objects whose image is segmented as it is, pixels."""
        low, high = self.diameter_range
        return max(low, self.least_diameter), max(self.diameter, _OFTEN * high)
