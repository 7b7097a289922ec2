"""An annotated image as training takes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MIN_AREA = 4
"""Objects of fewer pixels are ignored: a mask of them means nothing."""


@dataclass(frozen=True, slots=True)
class TrainingImage:
    """An image, normalised, and the truth about it.

    Attributes
    ----------
    image
        (Y, X, C), float32 in [0, 1] or uint8 in 0..255; C is what the network
        takes.  May be a read-only view with equal channels.
    labels
        (Y, X) int32; 0 is background, objects are 1..N without gaps.
    ignore
        (Y, X) bool, pixels of which nothing is known; None: none.
    class_ids
        (N,) int64 in 1..C, entry ``i`` for label ``i + 1``.
    name
        For messages and reports.
    """

    image: NDArray[np.uint8] | NDArray[np.float32]
    labels: NDArray[np.int32]
    ignore: NDArray[np.bool_] | None
    class_ids: NDArray[np.int64]
    name: str

    @property
    def unit_image(self) -> NDArray[np.float32]:
        """The image as (Y, X, C) float32 in [0, 1], whatever it is stored in."""
        scale = 255 if self.image.dtype == np.uint8 else 1
        return np.divide(self.image, scale, dtype=np.float32)


def keep_objects(
    image: TrainingImage,
    kept: NDArray[np.bool_],
    class_ids: NDArray[np.int64] | None = None,
) -> TrainingImage:
    """Keep some objects and ignore the pixels of the others.

    Parameters
    ----------
    image
        Not changed.
    kept
        (N,) which objects are kept.
    class_ids
        (N,) new classes; default: as they are.
    """
    class_ids = image.class_ids if class_ids is None else class_ids
    new_ids = np.zeros(len(kept) + 1, np.int32)
    new_ids[1:][kept] = np.arange(1, kept.sum() + 1)
    labels = new_ids[image.labels]
    dropped = (image.labels > 0) & (labels == 0)
    ignore = image.ignore
    if dropped.any():
        ignore = dropped if ignore is None else ignore | dropped
    return TrainingImage(image.image, labels, ignore, class_ids[kept], image.name)


def drop_unknown(image: TrainingImage) -> TrainingImage:
    """Ignore the objects that lie for the most part where nothing is known.

    Parameters
    ----------
    image
        Not changed.
    """
    if image.ignore is None:
        return image
    count = len(image.class_ids) + 1
    full = np.bincount(image.labels.ravel(), minlength=count)
    known = np.bincount(image.labels[~image.ignore], minlength=count)
    return keep_objects(image, (2 * known >= full)[1:])


def number_densely(
    labels: NDArray[np.generic],
) -> tuple[NDArray[np.int32], NDArray[np.integer]]:
    """Give objects the numbers 1..N, in rising order of their labels.

    Parameters
    ----------
    labels
        (Y, X) integers from 0, in any dtype.

    Returns
    -------
    dense
        (Y, X) int32.
    numbers
        (N,) the former number of each object, int64 or uint64.
    """
    values, dense = np.unique(labels, return_inverse=True)
    # Of the largest numbers int64 would make negative ones.
    wide = np.uint64 if values.dtype.kind == "u" else np.int64
    numbers = values[values > 0].astype(wide)
    shift = len(numbers) - len(values) + 1
    return dense.reshape(labels.shape).astype(np.int32) + np.int32(shift), numbers
