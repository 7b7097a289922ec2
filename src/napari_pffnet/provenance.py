"""Where the knowledge of a model comes from."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class DataSource(BaseModel):
    """A set of images that a model was trained on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, description="Short name of the set.")
    what: str = Field("", description="What the images show.")
    source: str = Field("", description="DOI or address under which it is found.")
    licence: str = "unknown"
    images: int = Field(0, ge=0, description="Training images; 0: not told.")
    validation_images: int = Field(
        0, ge=0, description="Images that chose weights and thresholds; 0: not told."
    )


def joined(*lists: tuple[DataSource, ...]) -> tuple[DataSource, ...]:
    """Return the sources of all lists in their order; of one name the last stays."""
    return tuple({source.name: source for part in lists for source in part}.values())
