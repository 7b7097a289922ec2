"""Options of a segmentation."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from napari_pffnet.config.base import Config, Precision, Unit


class Region(Config):
    """A half-open rectangle of an image, pixels."""

    y0: int
    x0: int
    y1: int
    x1: int


class SegmentConfig(Config):
    """Options of one segmentation."""

    diameter: Literal["auto"] | Annotated[float, Field(ge=1)] = Field(
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
    all_tiles: bool = Field(
        False,
        description="Search tiles and images of even background for objects, too.",
    )
    score_threshold: Unit | None = Field(
        None, description="Lowest classification score; default: the model's own."
    )
    precision: Precision = Field("auto", description="Arithmetic of the network.")
