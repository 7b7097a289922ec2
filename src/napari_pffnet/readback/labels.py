"""Label images and class maps with the table and the record beside them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import tifffile

from napari_pffnet.data.lazy import ZARR_SUFFIX, open_image, open_pyramid
from napari_pffnet.data.readers import read_labels
from napari_pffnet.readback.objects import ReadLabels, rows_by_label

if TYPE_CHECKING:
    from os import PathLike

_CENTIMETRE_UM = 1e4
_LAZY_FROM = 2**26
"""Pixels from which on labels in a pyramid are not read at once."""


def read_labels_with_table(path: str | PathLike[str]) -> ReadLabels:
    """Read a label image and, where they are there, its table and record.

    Parameters
    ----------
    path
        ``<stem>_labels.tif``, ``<stem>_labels.zarr`` (OME-Zarr), or
        ``<stem>_objects.csv`` beside one of them.

    Raises
    ------
    FileNotFoundError
        If there is no label image.
    ValueError
        If a file is damaged, or the table knows fewer objects than the labels.
    """
    folder, stem = Path(path).parent, stem_of(path)
    labels, size = _image(_image_of(Path(path)))
    table = folder / f"{stem}_objects.csv"
    objects = read_objects(table) if table.is_file() else None
    highest = 0 if isinstance(labels, list) else labels.max(initial=0)
    if objects is not None and highest > len(objects):
        raise ValueError(
            f"{table} ends with object {len(objects)}, the labels with "
            f"{highest}: they do not belong together. Rename one of the two."
        )
    record = _record(folder / f"{stem}_run.json")
    return ReadLabels(stem, labels, objects, _classes(objects), size, record)


def read_semantic(path: str | PathLike[str]) -> ReadLabels:
    """Read a class map ``<stem>_semantic.tif`` or ``.zarr`` with the record beside it.

    Raises
    ------
    FileNotFoundError, ValueError
        As `read_labels_with_table`.
    """
    path, stem = Path(path), stem_of(path)
    classes, size = _image(path)
    return ReadLabels(
        stem,
        classes,
        objects=None,
        pixel_size_um=size,
        record=_record(path.with_name(f"{stem}_run.json")),
    )


def read_objects(path: str | PathLike[str]) -> pd.DataFrame:
    """Read a table of objects; row i is label i + 1.

    Raises
    ------
    ValueError
        If the file is no such table.
    """
    try:
        # Only what is empty is unknown: "NA" may be the name of a class.
        words = {"class": str, "verdict": str}
        table = pd.read_csv(path, keep_default_na=False, na_values=[""], dtype=words)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError) as error:
        raise ValueError(f"{path} is no table of objects: {error}") from error
    if not _has_numbers(table):
        raise ValueError(
            f"{path} is no table of objects: it needs a column label with a "
            "different whole number in each row."
        )
    for column in words.keys() & set(table):
        table[column] = table[column].fillna("")
    return rows_by_label(table)


def _has_numbers(table: pd.DataFrame) -> bool:
    if "label" not in table:
        return False
    # A column without rows has no type.
    numbers = table["label"] if len(table) else pd.Series([], dtype=int)
    return numbers.dtype.kind in "iu" and numbers.is_unique


def stem_of(path: str | PathLike[str]) -> str:
    """Return the name that the files of one image share."""
    stem = Path(path).stem
    for ending in ("_labels", "_objects", "_semantic"):
        stem = stem.removesuffix(ending)
    return stem


def _image_of(path: Path) -> Path:
    """Return the label image that belongs to a label image or a table."""
    if path.suffix.lower() != ".csv":
        return path
    tiff = path.with_name(f"{stem_of(path)}_labels.tif")
    pyramid = tiff.with_suffix(ZARR_SUFFIX)
    return pyramid if pyramid.is_dir() and not tiff.exists() else tiff


def _image(path: Path) -> tuple[Any, float | None]:
    """Return labels, or the levels of their pyramid, and the side of a pixel."""
    if path.suffix != ZARR_SUFFIX:
        return _whole_numbers(path, read_labels(path)), _pixel_size_um(path)
    file, levels = open_image(path), open_pyramid(path)
    if math.prod(file.array.shape) >= _LAZY_FROM:
        return levels, file.pixel_size_um
    return _whole_numbers(path, np.asarray(levels[0])), file.pixel_size_um


def _whole_numbers(path: Path, labels: Any) -> Any:
    if labels.dtype.kind not in "iub" or labels.max(initial=0) > 2**31 - 1:
        raise ValueError(
            f"{path} holds {labels.dtype} numbers; labels are whole numbers below "
            f"{2**31:,}."
        )
    return labels.astype(np.int32)


def _record(path: Path) -> dict[str, Any] | None:
    """Return what is known of the run; a record that cannot be read is no record."""
    try:
        record = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) else None


def _classes(objects: pd.DataFrame | None) -> tuple[str, ...]:
    """Return the names of classes 1..C, as far as there are objects of them."""
    if objects is None or not {"class", "class_id"} <= set(objects):
        return ()
    names = dict(zip(objects["class_id"], objects["class"], strict=True))
    return tuple(names.get(i, "") for i in range(1, max(names, default=0) + 1))


def _pixel_size_um(path: Path) -> float | None:
    """Return the side of a pixel as `export.labels` writes it."""
    with tifffile.TiffFile(path) as file:
        page = file.pages.first
        resolution = page.tags.get("XResolution")
        if page.resolutionunit != tifffile.RESUNIT.CENTIMETER or resolution is None:
            return None
        pixels, centimetres = resolution.value
    return _CENTIMETRE_UM * centimetres / pixels if pixels else None
