"""From a label image to the truth that a network is trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.ndimage import find_objects

from napari_pffnet.data.training_image import MIN_AREA
from napari_pffnet.pffnet.structures import ImageTarget

if TYPE_CHECKING:
    from numpy.typing import NDArray

MIN_VISIBLE = 0.3
"""Objects with a smaller share of their area left in a crop are ignored."""


def image_target(
    labels: NDArray[np.integer],
    *,
    class_ids_by_label: NDArray[np.integer] | None = None,
    ignore: NDArray[np.bool_] | None = None,
    full_areas: NDArray[np.floating] | None = None,
    min_area: float = MIN_AREA,
) -> ImageTarget:
    """Turn a label image, or a crop of one, into an `ImageTarget`.

    Everything is counted in the label image itself; no mask of one object is
    ever made.  ``labels`` is not changed.

    Parameters
    ----------
    labels
        (Y, X) integers; 0 is background.
    class_ids_by_label
        Class (1..C) at the position of each label, entry 0 unused; by default
        every object is of class 1.
    ignore
        (Y, X) bool; pixels of which nothing is known.
    full_areas
        Area in pixels of the whole object at the position of each label; the
        pixels of objects with less than `MIN_VISIBLE` of it left are ignored.
    min_area
        Objects of fewer pixels are ignored.

    Returns
    -------
    ImageTarget
        Objects numbered 1..N in rising label order.
    """
    ignore = np.zeros(labels.shape, bool) if ignore is None else ignore.copy()
    labels = np.where(ignore, 0, labels)
    areas = np.bincount(labels.ravel(), minlength=1)
    least = np.full(len(areas), float(max(min_area, 1)))
    if full_areas is not None:
        np.maximum(least, MIN_VISIBLE * full_areas[: len(areas)], out=least)
    least[0] = np.inf
    kept = np.flatnonzero(areas >= least)

    new_ids = np.zeros(len(areas), np.int32)
    new_ids[kept] = np.arange(1, len(kept) + 1)
    label_map = new_ids[labels]
    ignore |= (labels > 0) & (label_map == 0)
    class_ids = (
        np.ones(len(kept), np.int64)
        if class_ids_by_label is None
        else class_ids_by_label[kept].astype(np.int64)
    )
    return ImageTarget(
        label_map=torch.from_numpy(label_map),
        boxes=torch.from_numpy(label_boxes_xyxy(label_map)),
        class_ids=torch.from_numpy(class_ids),
        areas=torch.from_numpy(areas[kept].astype(np.float32)),
        ignore=torch.from_numpy(ignore),
    )


def label_boxes_xyxy(labels: NDArray[np.integer]) -> NDArray[np.float32]:
    """Return the half-open boxes of labels 1..N, all of them present.

    Parameters
    ----------
    labels
        (Y, X) integers, dense: every id from 1 to the largest occurs.

    Returns
    -------
    ndarray
        (N, 4) float32, x0, y0, x1, y1 in pixels; x1 is the last column + 1.
    """
    boxes = [
        (window[1].start, window[0].start, window[1].stop, window[0].stop)
        for window in find_objects(labels)
    ]
    return np.array(boxes, np.float32).reshape(-1, 4)
