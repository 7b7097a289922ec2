"""What is known of objects, as columns of a table: one row an object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.ndimage import find_objects

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    IntArray = NDArray[np.integer[Any]]
    FloatArray = NDArray[np.floating[Any]]


def confidences(scores: FloatArray, qualities: FloatArray) -> FloatArray:
    """Return score x quality (eq. 6), or the score where there is no quality."""
    return np.where(np.isnan(qualities), scores, scores * qualities)


def object_columns(
    class_ids: IntArray,
    scores: FloatArray,
    qualities: FloatArray,
    *,
    classes: Sequence[str],
) -> dict[str, Any]:
    """Return ``class, class_id, score, quality, confidence`` of N objects.

    Parameters
    ----------
    class_ids, scores, qualities
        (N,) each.
    classes
        Names of classes 1..C.
    """
    return {
        "class": np.array(classes, dtype=object)[class_ids - 1],
        "class_id": class_ids,
        "score": scores,
        "quality": qualities,
        "confidence": confidences(scores, qualities),
    }


def measured_columns(
    boxes: IntArray,
    areas: IntArray,
    *,
    frame: tuple[int, int, int, int],
    pixel_size_um: float | None = None,
) -> dict[str, Any]:
    """Return ``area, bbox_*, touches_border`` of N objects, and ``area_um2``.

    Parameters
    ----------
    boxes
        (N, 4) half-open y0, x0, y1, x1 of the painted pixels.
    areas
        (N,) pixels; 0: not painted.
    frame
        y0, x0, y1, x1 of the part of the image in which objects are looked for.
    pixel_size_um
        Side of a pixel in micrometres, where known.
    """
    names = ("bbox_y0", "bbox_x0", "bbox_y1", "bbox_x1")
    outside = (boxes[:, :2] <= frame[:2]) | (boxes[:, 2:] >= frame[2:])
    columns: dict[str, Any] = {
        "area": areas,
        **dict(zip(names, boxes.T, strict=True)),
        "touches_border": outside.any(axis=1) & (areas > 0),
    }
    if pixel_size_um is not None:
        columns["area_um2"] = areas * pixel_size_um**2
    return columns


def check_labels(labels: IntArray) -> None:
    """Make sure that an array is a label image.

    Raises
    ------
    ValueError
        If it is no plane, or holds anything but integers from 0.
    """
    if labels.ndim != 2 or labels.dtype.kind not in "bui":
        raise ValueError(
            f"Labels of shape {labels.shape} and type {labels.dtype} are no label "
            "image; give (Y, X) integers, 0 for background."
        )
    if labels.min(initial=0) < 0:
        raise ValueError(
            f"The labels hold {labels.min()}; number objects from 1 and use 0 for "
            "background."
        )


def label_extents(
    labels: IntArray,
) -> tuple[IntArray, NDArray[np.int64], NDArray[np.int64]]:
    """Measure the objects of a (Y, X) label image.

    Returns
    -------
    (N,) ids rising, (N, 4) int64 half-open boxes y0, x0, y1, x1, (N,) int64 areas.
    """
    numbers, dense = _dense(labels)
    areas = np.bincount(dense.ravel(), minlength=1)
    areas[0] = 0
    found = np.flatnonzero(areas)
    slices = find_objects(dense) if len(found) else []
    boxes = [
        (rows.start, columns.start, rows.stop, columns.stop)
        for rows, columns in (slices[i - 1] for i in found.tolist())
    ]
    return numbers[found], np.array(boxes, np.int64).reshape(-1, 4), areas[found]


def _dense(labels: IntArray) -> tuple[IntArray, NDArray[np.int32]]:
    """Return numbers, 0 first, and labels that are positions among them."""
    largest = labels.max(initial=0)
    if largest <= labels.size:
        numbers = np.arange(int(largest) + 1).astype(labels.dtype)
        return numbers, labels.astype(np.int32, copy=False)
    numbers, dense = np.unique(
        np.append(labels.dtype.type(0), labels), return_inverse=True
    )
    return numbers, dense[1:].reshape(labels.shape).astype(np.int32)
