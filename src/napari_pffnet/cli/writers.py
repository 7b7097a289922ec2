"""From a segmented image to each of its files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from napari_pffnet.export.overlay import write_overlay
from napari_pffnet.segmentation import SegmentationRecord, SegmentationResult

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray


class ImageRecord(BaseModel):
    """How the files of one image came about: its ``_run.json``."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    image: str
    image_sha256: str
    model_sha256: str
    """Of the checkpoint's file."""
    program: str
    objects: int
    seconds: float
    notes: tuple[str, ...]
    files: tuple[str, ...]
    segmentation: SegmentationRecord


@dataclass(frozen=True, slots=True)
class Segmented:
    """All that the files of one image are made of.

    Attributes
    ----------
    image
        File that was read.
    pixels
        (Y, X, C) float32 in [0, 1], as the network saw it before any rescaling.
    result
        What was found.
    record
        How it came about.
    """

    image: Path
    pixels: NDArray[np.float32]
    result: SegmentationResult
    record: ImageRecord


def _write_overlay(path: Path, done: Segmented) -> None:
    objects = done.result.objects
    # A network without a quality branch tells its score instead.
    values = objects["quality"].fillna(objects["score"])
    write_overlay(path, done.pixels, done.result.labels, values.to_numpy())


def _write_record(path: Path, done: Segmented) -> None:
    path.write_text(done.record.model_dump_json(indent=2) + "\n", encoding="utf-8")


WRITERS: dict[str, Callable[[Path, Segmented], None]] = {
    "_overlay.png": _write_overlay,
    "_run.json": _write_record,
}
"""How each file is written, by its ending."""
