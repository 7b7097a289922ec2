"""Options of linking objects from plane to plane."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from napari_pffnet.config.base import Config, Unit


class LinkConfig(Config):
    """Options of one linking."""

    min_overlap: Unit = Field(
        0.25,
        description="Least intersection over union of two outlines that may be one.",
    )
    gap: Annotated[int, Field(ge=0)] = Field(
        0, description="How many planes in a row may miss an object that goes on."
    )
