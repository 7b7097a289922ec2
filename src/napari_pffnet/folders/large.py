"""An image whose label image does not fit into memory, from its file to its files."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_pffnet.export.coco import write_coco
from napari_pffnet.export.geojson import write_geojson
from napari_pffnet.export.imagej import write_rois
from napari_pffnet.export.labels import write_objects, write_parquet
from napari_pffnet.export.large import create_zarr, write_ome_zarr, write_tiled_tiff
from napari_pffnet.export.overlay import write_overlay
from napari_pffnet.folders.jobs import OVERLAY
from napari_pffnet.folders.outputs import PART, explained
from napari_pffnet.generators import retell
from napari_pffnet.segmentation import segment_large_iter
from napari_pffnet.segmentation.stack import Stack

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    import pandas as pd
    import zarr
    from numpy.typing import NDArray

    from napari_pffnet.config import SegmentConfig
    from napari_pffnet.data.readers import ImageFile
    from napari_pffnet.folders.kept_tiles import KeptTiles
    from napari_pffnet.segmentation import LargeResult, SegmentationRecord
    from napari_pffnet.segmentation.objects import FinderWrap
    from napari_pffnet.weights import Model

LARGE_FROM = 2**26
"""Pixels from which on an image is never whole in memory."""


@dataclass(frozen=True, slots=True)
class LargeSegmented:
    """All that the files of a large image are made of.

    Attributes
    ----------
    result
        Its objects.
    classes
        (Y, X) class map on the disk.
    pixel_size_um
        Side of a pixel in micrometres, or None.
    """

    result: LargeResult
    classes: zarr.Array[Any]
    pixel_size_um: float | None

    axes = ""

    @property
    def objects(self) -> pd.DataFrame:
        """One row an object, row i is label i + 1."""
        return self.result.table

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know, in sentences."""
        return self.result.notes

    @property
    def record(self) -> SegmentationRecord:
        """How the result came about."""
        return self.result.record

    def paint_classes(self, rows: slice, columns: slice) -> NDArray[Any]:
        """Return a part of the class map."""
        if not self.result.has_classes:
            return self.result.paint_classes(rows, columns)
        return np.asarray(self.classes[rows, columns])


@contextmanager
def scratch_folder(folder: Path) -> Iterator[Path]:
    """Give a folder for what is needed until the results are written.

    What a killed run leaves of it goes with the next ``--resume``.
    """
    with explained(folder):
        scratch = TemporaryDirectory(dir=folder, prefix=PART)
    with scratch as name:
        yield Path(name)


def segment_large_file_iter(
    file: ImageFile,
    model: Model,
    config: SegmentConfig,
    *,
    scratch: Path,
    kept: KeptTiles,
    wrap: FinderWrap | None = None,
) -> Generator[float, None, LargeSegmented]:
    """Segment a large image; yields how much of it is done, 0 to 1.

    Parameters
    ----------
    file, model, config
        What is segmented, and how.
    scratch
        Folder for the class map.
    kept
        Keeps finished tiles, from which a run that was killed goes on.
    wrap
        Runs the tiles elsewhere than here.
    """
    config = config.model_copy(update={"axes": config.axes or file.axes})
    shape = Stack.of(file.array, config.axes).shape_yx
    classes = create_zarr(scratch / "classes.zarr", shape, np.uint8)
    steps = segment_large_iter(
        file.array,
        model,
        config,
        classes=_Guarded(classes, scratch.parent),
        channel_names=file.channel_names,
        pixel_size_um=file.pixel_size_um,
        wrap=kept.wrap if wrap is None else lambda here: kept.wrap(wrap(here)),
    )
    result = yield from retell(steps, lambda tile: tile.done / tile.total)
    return LargeSegmented(result, classes, file.pixel_size_um)


@dataclass(frozen=True, slots=True)
class _Guarded:
    """A class map on a disk that may be full."""

    classes: zarr.Array[Any]
    folder: Path

    def __setitem__(
        self, index: tuple[slice, slice], patch: NDArray[np.uint8], /
    ) -> None:
        if patch.any():
            with explained(self.folder):
                self.classes[index] = patch

    def clear(self) -> None:
        # Chunk by chunk; what is all zero leaves the disk.
        self.classes[...] = 0


# ------------------------------------------------------------------- files


def _label_type(done: LargeSegmented) -> type[np.integer[Any]]:
    fits = len(done.objects) <= np.iinfo(np.uint16).max
    return np.uint16 if fits else np.int32


def _write_labels(done: LargeSegmented, path: Path) -> None:
    write_tiled_tiff(
        done.result.paint,
        done.result.shape,
        _label_type(done),
        path,
        pixel_size_um=done.pixel_size_um,
    )


def _write_semantic(done: LargeSegmented, path: Path) -> None:
    write_tiled_tiff(
        done.paint_classes,
        done.result.shape,
        np.uint8,
        path,
        pixel_size_um=done.pixel_size_um,
    )


def _write_label_zarr(done: LargeSegmented, path: Path) -> None:
    write_ome_zarr(
        done.result.paint,
        done.result.shape,
        np.int32,
        path,
        name=path.stem,
        pixel_size_um=done.pixel_size_um,
    )


def _write_semantic_zarr(done: LargeSegmented, path: Path) -> None:
    write_ome_zarr(
        done.paint_classes,
        done.result.shape,
        np.uint8,
        path,
        name=path.stem,
        pixel_size_um=done.pixel_size_um,
    )


def _write_objects(done: LargeSegmented, path: Path) -> None:
    write_objects(done.objects, path)


def _write_parquet(done: LargeSegmented, path: Path) -> None:
    write_parquet(done.objects, path)


def _write_geojson(done: LargeSegmented, path: Path) -> None:
    write_geojson(done.result.objects.objects, done.objects, path)


def _write_coco(done: LargeSegmented, path: Path) -> None:
    image_id = path.name.removesuffix("_coco.json")
    write_coco(done.result.candidates, path, image_id=image_id)


def _write_rois(done: LargeSegmented, path: Path) -> None:
    write_rois(done.result.objects.objects, done.objects, path)


def _write_overlay(done: LargeSegmented, path: Path) -> None:
    """Draw the image as small as its thumbnail is."""
    thumbnail, (height, width) = done.result.thumbnail, done.result.shape
    step = thumbnail.step
    rows = [
        done.result.paint(slice(y, y + 1), slice(0, width))[0, ::step]
        for y in range(0, height, step)
    ]
    values = done.objects["quality"].fillna(done.objects["score"])
    write_overlay(thumbnail.pixels, np.stack(rows), values.to_numpy(), path)


LARGE_WRITERS: dict[str, Callable[[LargeSegmented, Path], None]] = {
    "_labels.tif": _write_labels,
    "_semantic.tif": _write_semantic,
    "_labels.zarr": _write_label_zarr,
    "_semantic.zarr": _write_semantic_zarr,
    "_objects.csv": _write_objects,
    "_objects.parquet": _write_parquet,
    "_objects.geojson": _write_geojson,
    "_coco.json": _write_coco,
    "_rois.zip": _write_rois,
    OVERLAY: _write_overlay,
}
"""How each file but the record is written, by its ending."""
