"""From a segmented image to each of its files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_pffnet.export.coco import write_coco
from napari_pffnet.export.geojson import write_geojson
from napari_pffnet.export.imagej import write_rois
from napari_pffnet.export.labels import (
    write_labels,
    write_objects,
    write_parquet,
    write_semantic,
)
from napari_pffnet.export.large import write_ome_zarr
from napari_pffnet.export.overlay import write_overlay
from napari_pffnet.folders.jobs import OVERLAY, PARTS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_pffnet.folders.image import Segmented

NO_OVERLAY = "No picture of the outlines is drawn of stacks and films."
_COCO = "_coco.json"


def writable(endings: tuple[str, ...], axes: str, name: str) -> tuple[str, ...]:
    """Return the endings of the files that an image can have.

    Parameters
    ----------
    endings
        Of the files that are wanted.
    axes
        Those of a stack; "" for an image.
    name
        Of the image, for the sentence.

    Raises
    ------
    ValueError
        If a file is wanted that cannot hold a stack.
    """
    if not axes:
        return tuple(end for end in endings if end != PARTS)
    if _COCO in endings:
        raise ValueError(
            f"{name} has several planes or time points (axes {axes}), which are not "
            "written as coco; leave out the format coco."
        )
    return tuple(end for end in endings if end != OVERLAY)


def _write_labels(done: Segmented, path: Path) -> None:
    write_labels(done.labels, path, pixel_size_um=done.pixel_size_um, axes=done.axes)


def _write_semantic(done: Segmented, path: Path) -> None:
    write_semantic(
        done.semantic, path, pixel_size_um=done.pixel_size_um, axes=done.axes
    )


def _write_label_zarr(done: Segmented, path: Path) -> None:
    _write_zarr(done.labels, done, path)


def _write_semantic_zarr(done: Segmented, path: Path) -> None:
    _write_zarr(done.semantic, done, path)


def _write_zarr(image: NDArray[Any], done: Segmented, path: Path) -> None:
    write_ome_zarr(
        lambda rows, columns: image[..., rows, columns],
        image.shape,
        image.dtype,
        path,
        name=path.stem,
        axes=done.axes,
        pixel_size_um=done.pixel_size_um,
    )


def _write_parquet(done: Segmented, path: Path) -> None:
    write_parquet(done.objects, path)


def _write_objects(done: Segmented, path: Path) -> None:
    write_objects(done.objects, path)


def _write_parts(done: Segmented, path: Path) -> None:
    write_objects(done.outlines, path)


def _write_geojson(done: Segmented, path: Path) -> None:
    write_geojson(done.labels, done.outlines, path, axes=done.axes)


def _write_coco(done: Segmented, path: Path) -> None:
    assert done.candidates is not None  # stacks were refused
    write_coco(done.candidates, path, image_id=path.name.removesuffix(_COCO))


def _write_rois(done: Segmented, path: Path) -> None:
    write_rois(done.labels, done.outlines, path, axes=done.axes)


def _write_overlay(done: Segmented, path: Path) -> None:
    assert done.plane is not None  # nothing is drawn of stacks
    pixels = done.plane.read(*(slice(0, n) for n in done.plane.shape))
    # A network without a quality branch tells its score instead.
    values = done.objects["quality"].fillna(done.objects["score"])
    write_overlay(pixels, done.labels, values.to_numpy(), path)


WRITERS: dict[str, Callable[[Segmented, Path], None]] = {
    "_labels.tif": _write_labels,
    "_semantic.tif": _write_semantic,
    "_labels.zarr": _write_label_zarr,
    "_semantic.zarr": _write_semantic_zarr,
    "_objects.csv": _write_objects,
    "_objects.parquet": _write_parquet,
    "_objects.geojson": _write_geojson,
    _COCO: _write_coco,
    "_rois.zip": _write_rois,
    PARTS: _write_parts,
    OVERLAY: _write_overlay,
}
"""How each file but the record is written, by its ending."""
