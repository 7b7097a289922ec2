"""Options of the files that become of images."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from napari_pffnet.config.base import Config

Format = Literal["tiff", "zarr", "csv", "parquet", "geojson", "coco", "rois"]


class OutputConfig(Config):
    """Which files become of each image, and what happens to those that exist."""

    formats: tuple[Format, ...] = Field(
        ("tiff", "csv"), description="What to write of each image."
    )
    overlay: bool = Field(True, description="Write the picture of the outlines too.")
    link: Literal["z", "t"] | None = Field(
        None,
        description="Give outlines that overlap in neighbouring planes along this axis "
        "one number.",
    )
    resume: bool = Field(
        False, description="Skip images whose results are there and complete."
    )
    overwrite: bool = Field(False, description="Replace results that exist.")
