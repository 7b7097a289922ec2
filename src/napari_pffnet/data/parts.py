"""Parts of a training image, and a training image at another scale."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from scipy.ndimage import find_objects
from torchvision.transforms import v2

from napari_pffnet.data.axes import distinct_channels, repeat_channels
from napari_pffnet.data.training_image import (
    TrainingImage,
    keep_objects,
    number_densely,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

_S = TypeVar("_S", bound=np.generic)


def cut_window(image: TrainingImage, rows: slice, columns: slice) -> TrainingImage:
    """Cut out a window; objects that are not whole there are ignored.

    Parameters
    ----------
    image
        Not changed.
    rows, columns
        Pixels of the image.
    """
    window = (rows, columns)
    labels, numbers = number_densely(image.labels[window])
    count = len(image.class_ids)
    full = np.bincount(image.labels.ravel(), minlength=count + 1)
    left = np.bincount(image.labels[window].ravel(), minlength=count + 1)
    part = TrainingImage(
        image.image[window],
        labels,
        None if image.ignore is None else image.ignore[window],
        image.class_ids[numbers - 1],
        image.name,
    )
    return keep_objects(part, (left == full)[numbers])


def known_part(image: TrainingImage, *, margin: int) -> TrainingImage:
    """Cut off the borders of which nothing is known.

    Parameters
    ----------
    image
        Not changed; returned as it is where all of it is known, or nothing.
    margin
        So many pixels beyond what is known stay: they are seen, not learnt.
    """
    if image.ignore is None or image.ignore.all():
        return image
    known = ~image.ignore
    rows, columns = (
        _padded(np.flatnonzero(known.any(1 - axis)), margin, known.shape[axis])
        for axis in (0, 1)
    )
    return cut_window(image, rows, columns)


def busiest_part(image: TrainingImage, *, side: int) -> TrainingImage:
    """Cut out the `busiest_window`; an image that is no larger stays as it is."""
    if max(image.labels.shape) <= side:
        return image
    return cut_window(image, *busiest_window(image, side=side))


def busiest_window(image: TrainingImage, *, side: int) -> tuple[slice, slice]:
    """Return rows and columns of a square with as many objects in it as can be.

    Parameters
    ----------
    image
        Where it is smaller than the square, so is the window.
    side
        Of the square, pixels.
    """
    centers = np.array(
        [
            [(axis.start + axis.stop) / 2 for axis in window]
            for window in find_objects(image.labels)
        ]
    ).reshape(-1, 2)
    room = np.maximum(np.subtract(image.labels.shape, side), 0)
    starts = np.round(centers - side / 2).clip(0, room).astype(int)
    if not len(starts):
        return slice(0, side), slice(0, side)
    # How many centres lie above and to the left of each pixel.
    before = np.zeros(np.add(image.labels.shape, 1), np.int32)
    np.add.at(before, tuple(centers.astype(int).T + 1), 1)
    for axis in (0, 1):
        before.cumsum(axis, np.int32, before)
    (y0, x0), (y1, x1) = starts.T, np.minimum(starts + side, image.labels.shape).T
    inside = before[y1, x1] - before[y0, x1] - before[y1, x0] + before[y0, x0]
    y, x = starts[inside.argmax()].tolist()
    return slice(y, y + side), slice(x, x + side)


def at_scale(image: TrainingImage, scale: float) -> TrainingImage:
    """Return an image magnified by ``scale``, its labels too.

    Objects that no pixel is left of are gone.
    """
    if scale == 1:
        return image
    size = [max(1, round(length * scale)) for length in image.labels.shape]
    labels, numbers = number_densely(_nearest(image.labels, size))
    ignore = None if image.ignore is None else _nearest(image.ignore, size)
    return replace(
        image,
        image=_resized(image.image, size),
        labels=labels,
        ignore=ignore,
        class_ids=image.class_ids[numbers - 1],
    )


def median_diameter(image: TrainingImage) -> float | None:
    """Return the median of sqrt(4 area / pi), pixels; None without objects."""
    areas = np.bincount(image.labels.ravel())[1:]
    if not len(areas):
        return None
    return float(np.median(np.sqrt(4 * areas / np.pi)))


def _padded(found: NDArray[np.intp], margin: int, length: int) -> slice:
    return slice(max(found[0] - margin, 0), min(found[-1] + 1 + margin, length))


def _nearest(values: NDArray[_S], size: list[int]) -> NDArray[_S]:
    rows, columns = (
        ((np.arange(new) + 0.5) * (old / new)).astype(int)
        for new, old in zip(size, values.shape, strict=True)
    )
    return np.asarray(values[rows[:, None], columns], values.dtype)


def _resized(pixels: NDArray[Any], size: list[int]) -> NDArray[Any]:
    """Resize (Y, X, C); channels that are one view of the same pixels stay so."""
    image = torch.from_numpy(distinct_channels(pixels).transpose(2, 0, 1).copy())
    resized: torch.Tensor = v2.functional.resize(image, size, antialias=True)
    done = np.ascontiguousarray(resized.numpy().transpose(1, 2, 0), pixels.dtype)
    return repeat_channels(done, pixels.shape[2])
