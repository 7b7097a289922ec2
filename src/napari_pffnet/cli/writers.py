"""From a segmented image to each of its files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from napari_pffnet.export.coco import write_coco
from napari_pffnet.export.geojson import write_geojson
from napari_pffnet.export.imagej import write_rois
from napari_pffnet.export.labels import write_labels, write_objects, write_semantic
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
    pixel_size_um
        Side of a pixel in micrometres, or None.
    result
        What was found.
    record
        How it came about.
    """

    image: Path
    pixels: NDArray[np.float32]
    pixel_size_um: float | None
    result: SegmentationResult
    record: ImageRecord


def _write_labels(done: Segmented, path: Path) -> None:
    write_labels(done.result.labels, path, pixel_size_um=done.pixel_size_um)


def _write_semantic(done: Segmented, path: Path) -> None:
    write_semantic(done.result.semantic, path, pixel_size_um=done.pixel_size_um)


def _write_objects(done: Segmented, path: Path) -> None:
    write_objects(done.result.objects, path)


def _write_geojson(done: Segmented, path: Path) -> None:
    write_geojson(done.result.labels, done.result.objects, path)


def _write_coco(done: Segmented, path: Path) -> None:
    write_coco(done.result.instances, path, image_id=done.image.stem)


def _write_rois(done: Segmented, path: Path) -> None:
    write_rois(done.result.labels, done.result.objects, path)


def _write_overlay(done: Segmented, path: Path) -> None:
    objects = done.result.objects
    # A network without a quality branch tells its score instead.
    values = objects["quality"].fillna(objects["score"])
    write_overlay(done.pixels, done.result.labels, values.to_numpy(), path)


def _write_record(done: Segmented, path: Path) -> None:
    path.write_text(done.record.model_dump_json(indent=2) + "\n", encoding="utf-8")


WRITERS: dict[str, Callable[[Segmented, Path], None]] = {
    "_labels.tif": _write_labels,
    "_semantic.tif": _write_semantic,
    "_objects.csv": _write_objects,
    "_objects.geojson": _write_geojson,
    "_coco.json": _write_coco,
    "_rois.zip": _write_rois,
    "_overlay.png": _write_overlay,
    "_run.json": _write_record,
}
"""How each file is written, by its ending."""
