"""Files that napari saves through this plugin."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_pffnet._qt.layers import (
    METADATA_KEY,
    pixel_size_um,
    table_from_features,
)
from napari_pffnet.export.coco import write_coco
from napari_pffnet.export.geojson import write_geojson
from napari_pffnet.export.imagej import write_rois
from napari_pffnet.export.labels import write_labels, write_objects
from napari_pffnet.instances import Instances
from napari_pffnet.review.table import complete_table

if TYPE_CHECKING:
    import pandas as pd

    Options = dict[str, Any]


def write_labels_and_table(path: str, data: Any, meta: Options) -> list[str]:
    """Write ``<stem>_labels.tif`` and ``<stem>_objects.csv``.

    Raises
    ------
    FileExistsError
        If the user chose another name and these labels are there already, or a table
        of others.
    """
    chosen = Path(path)
    stem = chosen.stem.removesuffix("_labels")
    labels_path = chosen.with_name(f"{stem}_labels.tif")
    table_path = chosen.with_name(f"{stem}_objects.csv")
    # napari has asked only whether the chosen file may be replaced.
    if labels_path != chosen and labels_path.exists():
        raise FileExistsError(
            f"{labels_path} exists already; choose that name to replace it, or "
            "another one."
        )
    # A table beside labels is theirs, and goes with them.
    if table_path.exists() and not labels_path.exists():
        raise FileExistsError(
            f"{table_path} exists already and belongs to other labels; choose another "
            "name, or move that table."
        )
    labels = _in_memory(data)
    size = _pixel_size_um(meta)
    write_labels(labels, labels_path, pixel_size_um=size)
    write_objects(_table(labels, meta), table_path)
    return [str(labels_path), str(table_path)]


def write_coco_json(path: str, data: Any, meta: Options) -> list[str]:
    """Write the objects of one plane as COCO results."""
    labels = _one_plane(data)
    table = _painted(_table(labels, meta))
    found = Instances.from_labels(
        labels, table["class_id"], table["score"], table["quality"]
    )
    write_coco(found, path, image_id=str(meta["name"]))
    return [path]


def write_qupath_geojson(path: str, data: Any, meta: Options) -> list[str]:
    """Write the outlines of one plane for QuPath."""
    labels = _one_plane(data)
    write_geojson(labels, _painted(_table(labels, meta)), path)
    return [path]


def write_imagej_rois(path: str, data: Any, meta: Options) -> list[str]:
    """Write the outlines of one plane for the ROI manager of ImageJ."""
    labels = _one_plane(data)
    write_rois(labels, _painted(_table(labels, meta)), path)
    return [path]


def _pixel_size_um(meta: Options) -> float | None:
    """Return the side of a pixel: the layer's, else that of the file it came from."""
    known = meta.get("metadata", {}).get(METADATA_KEY, {})
    return pixel_size_um(meta["units"], meta["scale"]) or known.get("pixel_size_um")


def _in_memory(data: Any) -> Any:
    """Return labels as an array; of several levels the highest resolution."""
    is_multiscale = not hasattr(data, "dtype")
    return np.asarray(data[0] if is_multiscale else data)


def _one_plane(data: Any) -> Any:
    labels = _in_memory(data)
    if labels.ndim != 2:
        raise ValueError(
            f"This format holds one plane, and the layer has the shape "
            f"{labels.shape}; save it as labels with their table, or plane by plane."
        )
    return labels


def _table(labels: Any, meta: Options) -> pd.DataFrame:
    """Return the table of a layer, whether or not this plugin made it."""
    features = meta.get("features")
    if features is None or "score" not in features:
        return complete_table(labels, None)
    return complete_table(labels, table_from_features(features))


def _painted(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of objects that have pixels, as the labels have them."""
    return table[table["area"] > 0]
