"""Files that napari opens through this plugin."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from napari import current_viewer
from napari.layers import Image

from napari_pffnet._qt.layers import METADATA_KEY, features_from_table
from napari_pffnet._qt.placement import Placement
from napari_pffnet.readback.coco import is_coco, read_coco
from napari_pffnet.readback.geojson import read_geojson
from napari_pffnet.readback.imagej import is_rois, read_rois
from napari_pffnet.readback.labels import read_labels_with_table, read_semantic
from napari_pffnet.review.table import complete_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from napari_pffnet._qt.samples import LayerTuple
    from napari_pffnet.readback.objects import ReadLabels

    Paths = str | list[str]
    Reader = Callable[[Paths], list[LayerTuple]]


def labels_reader(path: Paths) -> Reader | None:
    """Return what reads label images with their tables, and class maps.

    napari asks for every folder that is opened; None for those of another name.
    """
    ours = ("_labels.zarr", "_semantic.zarr")
    folders = [one for one in _many(path) if Path(one).is_dir()]
    return _read_labels if all(one.endswith(ours) for one in folders) else None


def coco_reader(path: Paths) -> Reader | None:
    """Return what reads COCO JSON, or None for JSON of another kind."""
    return _read_coco if all(is_coco(one) for one in _many(path)) else None


def geojson_reader(path: Paths) -> Reader:
    """Return what reads the GeoJSON of QuPath."""
    return _read_geojson


def rois_reader(path: Paths) -> Reader | None:
    """Return what reads regions of ImageJ, or None for a zip of something else."""
    return _read_rois if all(is_rois(one) for one in _many(path)) else None


def _read_labels(path: Paths) -> list[LayerTuple]:
    return [
        _semantic_layer(read_semantic(one))
        if "_semantic." in one
        else _objects_layer(read_labels_with_table(one))
        for one in _many(path)
    ]


def _read_coco(path: Paths) -> list[LayerTuple]:
    return [_objects_layer(read) for one in _many(path) for read in read_coco(one)]


def _read_geojson(path: Paths) -> list[LayerTuple]:
    return [_objects_layer(read_geojson(one)) for one in _many(path)]


def _read_rois(path: Paths) -> list[LayerTuple]:
    return [_objects_layer(read_rois(one)) for one in _many(path)]


def _many(path: Paths) -> Iterable[str]:
    return [path] if isinstance(path, str) else path


def _objects_layer(read: ReadLabels) -> LayerTuple:
    options = _options(read, "instances")
    if read.objects is not None:
        table = read.objects
        if not isinstance(read.labels, list):
            table = complete_table(read.labels, table)
        if "verdict" in table and not table["verdict"].any():
            table = table.drop(columns="verdict")
        options["features"] = features_from_table(table)
    return read.labels, options, "labels"


def _semantic_layer(read: ReadLabels) -> LayerTuple:
    classes = read.labels
    if not isinstance(classes, list):
        classes = classes.astype(np.uint8)
    return classes, _options(read, "semantic"), "labels"


def _options(read: ReadLabels, kind: str) -> dict[str, Any]:
    known = {
        "record": read.record,
        "classes": list(read.classes),
        "pixel_size_um": read.pixel_size_um,
    }
    options: dict[str, Any] = {
        "name": f"{read.name} {kind}",
        "metadata": {METADATA_KEY: known},
    }
    if isinstance(read.labels, list):
        options["multiscale"] = True
    finest = read.labels[0] if isinstance(read.labels, list) else read.labels
    return options | _place(read, finest.shape)


def _place(read: ReadLabels, shape: tuple[int, ...]) -> dict[str, Any]:
    """Return where labels lie: on their image if it is open, else as the file says.

    Most images are opened without the size of their pixels, also where it is known.
    """
    for image in _images_named(read.name):
        place = Placement.of_labels(shape, image)
        if place is not None:
            return place.options
    if read.pixel_size_um is None:
        return {}
    # Of planes and time points nothing is known but their number.
    others = len(shape) - 2
    return {
        "scale": (1,) * others + (read.pixel_size_um,) * 2,
        "units": ("pixel",) * others + ("micrometer",) * 2,
    }


def _images_named(name: str) -> list[Image]:
    """Return the open images of a name; napari does not tell who asks for a file."""
    viewer = current_viewer()
    layers = viewer.layers if viewer is not None else ()
    return [x for x in layers if isinstance(x, Image) and x.name == name]
