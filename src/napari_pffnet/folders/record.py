"""How the files of one image came about: its ``_run.json``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from napari_pffnet.config import SegmentConfig
from napari_pffnet.folders.jobs import ALL_ENDINGS, RECORD
from napari_pffnet.segmentation.result import SegmentationRecord

if TYPE_CHECKING:
    from pathlib import Path


class ImageRecord(BaseModel):
    """How the files of one image came about, and what is in them in a few numbers.

    It is written when all other files of the image are whole: where it is, the
    image is done.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    image: str
    image_sha256: str
    model_sha256: str
    """Of the checkpoint's file."""
    program: str
    options: SegmentConfig | None = None
    """As they were asked for; those of the segmentation know the file's axes."""
    link: str | None = None
    """Axis along which outlines were to be linked."""
    axes: str = ""
    """T and Z, as the labels of a stack have them; "" for an image."""
    objects: int
    median_quality: float | None = None
    median_area: float | None = None
    """Pixels."""
    median_diameter: float | None = None
    """Pixels."""
    to_review: float | None = None
    """Share of the objects with a confidence below 0.5."""
    seconds: float
    notes: tuple[str, ...]
    files: tuple[str, ...]
    segmentation: SegmentationRecord


def read_record(path: Path) -> ImageRecord | None:
    """Return a record, or None where there is none that this program wrote."""
    try:
        return ImageRecord.model_validate_json(path.read_bytes())
    except (OSError, ValueError):
        return None


def read_records(folder: Path) -> dict[str, ImageRecord]:
    """Return the records of all images whose results lie in a folder, by stem.

    One that was renamed, or names files elsewhere, counts as none: those would be
    removed as results of its image.
    """
    found = {
        path.name.removesuffix(RECORD): read_record(path)
        for path in folder.glob(f"*{RECORD}")
    }
    return {
        stem: record
        for stem, record in found.items()
        if record is not None and _names_own_files(record, stem)
    }


def _names_own_files(record: ImageRecord, stem: str) -> bool:
    return {*record.files} <= {f"{stem}{ending}" for ending in ALL_ENDINGS}
