"""The masks of COCO annotations, painted into a label image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict
from skimage.draw import polygon

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pixels = tuple[NDArray[np.int64], NDArray[np.int64]]
    """Rows and columns."""


class RunLengths(BaseModel):
    """A mask as runs, column by column, background first; compressed if a string."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    size: tuple[int, int]
    counts: str | list[int]


Mask = RunLengths | list[list[float]]
"""Run lengths, or polygons, each x, y, x, y ... in pixels."""


@dataclass(frozen=True, slots=True)
class CocoTruth:
    """What the annotations of one image say.

    Attributes
    ----------
    labels
        (Y, X) int32, object ``i`` is annotation ``i - 1`` of the image.
    ignore
        (Y, X) bool, the crowds, but for the objects in them.
    hidden
        Objects that have no pixel of their own.
    """

    labels: NDArray[np.int32]
    ignore: NDArray[np.bool_]
    hidden: int


def runs_of(mask: RunLengths) -> NDArray[np.int64]:
    """Return the run lengths of a mask as numbers.

    Raises
    ------
    ValueError
        If one is negative, or they are longer than the image.
    """
    counts = mask.counts
    numbers = _decompress(counts) if isinstance(counts, str) else counts
    runs = np.array(numbers, np.int64)
    height, width = mask.size
    if (runs < 0).any() or runs.sum() > height * width:
        raise ValueError(
            f"A mask has runs of {runs.sum()} pixels in all, and its image {height} x "
            f"{width} pixels (Y, X); it does not fit."
        )
    return runs


def run_pixels(runs: NDArray[np.int64], height: int) -> Pixels:
    """Return the pixels of runs in an image of this height."""
    ends = np.cumsum(runs)
    starts, lengths = (ends - runs)[1::2], runs[1::2]
    # The pixels of all runs of the object, one after the other.
    skipped = np.repeat(starts - (np.cumsum(lengths) - lengths), lengths)
    columns, rows = np.divmod(np.arange(lengths.sum()) + skipped, height)
    return rows, columns


def polygon_pixels(polygons: list[list[float]], shape: tuple[int, int]) -> Pixels:
    """Return the pixels whose centres lie in any of the polygons of one object.

    Pixels of several of them are named several times.

    Raises
    ------
    ValueError
        If one is no polygon.
    """
    parts = [_one_polygon(points, shape) for points in polygons]
    empty = np.empty((2, 0), np.int64)
    rows, columns = np.concatenate([empty, *map(np.stack, parts)], axis=1)
    return rows, columns


def _decompress(text: str) -> list[int]:
    """Return the run lengths that a compressed string stands for.

    Each character holds 5 bits of a number, the lowest first, and whether more
    follow.  From the fourth on a run is told by its difference to the last but one.
    """
    runs: list[int] = []
    number = shift = 0
    for character in text:
        bits = ord(character) - 48
        number |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            number -= 1 << shift
        runs.append(number + (runs[-2] if len(runs) > 2 else 0))
        number = shift = 0
    return runs


def paint_annotations(
    segmentations: list[Mask],
    is_crowd: list[bool],
    shape: tuple[int, int],
) -> CocoTruth:
    """Paint the masks of one image.

    Parameters
    ----------
    segmentations
        The mask of each annotation.
    is_crowd
        Whether it stands for many objects.
    shape
        (Y, X) of the image.

    Raises
    ------
    ValueError
        If a mask is none, or of another size.
    """
    pixels = [_pixels(mask, shape) for mask in segmentations]
    labels = np.zeros(shape, np.int32)
    ignore = np.zeros(shape, np.bool_)
    # Large ones first, so that smaller ones lie on top.
    for i in sorted(range(len(pixels)), key=lambda i: -len(pixels[i])):
        if is_crowd[i]:
            ignore.flat[pixels[i]] = True
        else:
            labels.flat[pixels[i]] = i + 1
    visible = np.count_nonzero(np.bincount(labels.ravel())[1:])
    hidden = len(is_crowd) - sum(is_crowd) - int(visible)
    return CocoTruth(labels, ignore & (labels == 0), hidden)


def _pixels(mask: Mask, shape: tuple[int, int]) -> NDArray[np.int64]:
    """Return the positions of the pixels of a mask in the flat image."""
    if isinstance(mask, RunLengths):
        rows, columns = _run_pixels(mask, shape)
    elif mask:
        rows, columns = polygon_pixels(mask, shape)
    else:
        raise ValueError("An annotation has no segmentation; a box is not enough.")
    return np.unique(rows * shape[1] + columns)


def _run_pixels(mask: RunLengths, shape: tuple[int, int]) -> Pixels:
    runs = runs_of(mask)
    if mask.size != shape or runs.sum() != shape[0] * shape[1]:
        raise ValueError(
            f"A mask of size {mask.size} with runs of {runs.sum()} pixels in all does "
            f"not fit the image of {shape[0]} x {shape[1]} pixels (Y, X)."
        )
    return run_pixels(runs, shape[0])


def _one_polygon(points: list[float], shape: tuple[int, int]) -> Pixels:
    if len(points) < 6 or len(points) % 2:
        raise ValueError(
            f"A polygon has {len(points)} coordinates; it needs the x and y of three "
            "points or more."
        )
    # Pixel i covers i to i + 1, and skimage has its centre at i.
    x, y = np.array(points).reshape(-1, 2).T - 0.5
    rows, columns = polygon(y, x, shape)
    return rows, columns
