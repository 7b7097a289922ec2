"""From single objects, as files describe them, to one label image with its table."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from skimage.draw import polygon2mask

from napari_pffnet.instances import Instances

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    import zarr
    from numpy.typing import NDArray

_MOST_PIXELS = 2**30


@dataclass(frozen=True, slots=True)
class ReadLabels:
    """Labels of one image as a file tells them.

    Attributes
    ----------
    name
        Of the image.
    labels
        (..., Y, X) int32; 0 is background.  Of a slide all levels of its pyramid, the
        finest first, read when they are looked at.
    objects
        Row i is label i + 1; None where nothing is known.
    classes
        Names of classes 1..C.
    pixel_size_um
        Side of a pixel in micrometres, where known.
    record
        How the result came about, as ``_run.json`` tells it.
    """

    name: str
    labels: NDArray[np.int32] | list[zarr.Array[Any]]
    objects: pd.DataFrame | None
    classes: tuple[str, ...] = ()
    pixel_size_um: float | None = None
    record: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class ReadObject:
    """One object.

    Attributes
    ----------
    mask
        (h, w) bool.
    origin
        y, x of the mask in its image.
    class_name
        Of its class.
    score, quality
        NaN where unknown; of score x quality alone, the product counts as score.
    number
        By which the file names it; None: none.
    """

    mask: NDArray[np.bool_]
    origin: tuple[int, int]
    class_name: str
    score: float = math.nan
    quality: float = math.nan
    number: int | None = None

    @property
    def confidence(self) -> float:
        """Score x quality, or the score without a quality."""
        return self.score if math.isnan(self.quality) else self.score * self.quality

    @property
    def end(self) -> tuple[int, int]:
        """y, x just behind the mask."""
        height, width = self.mask.shape
        return self.origin[0] + height, self.origin[1] + width


def fill(
    rings: Sequence[NDArray[np.floating[Any]]],
) -> tuple[NDArray[np.bool_], tuple[int, int]]:
    """Return the pixels inside of outlines: those whose centre lies within.

    Parameters
    ----------
    rings
        (K, 2) corners x, y each; what lies within two of them is a hole.  Pixel i
        covers [i, i + 1).

    Returns
    -------
    (h, w) bool and its origin y, x; what is left of or above the image is cut off.
    """
    rings = [ring for ring in rings if len(ring) > 2]
    if not rings:
        return np.zeros((0, 0), np.bool_), (0, 0)
    corners = np.concatenate(rings)[:, ::-1]
    low = np.maximum(np.floor(corners.min(axis=0)), 0).astype(int)
    size = np.maximum(np.ceil(corners.max(axis=0)).astype(int) - low, 0)
    check_size(size[0], size[1])
    mask = np.zeros(size, np.bool_)
    for ring in rings:
        # The centre of pixel i is i + 0.5.
        mask ^= polygon2mask(mask.shape, ring[:, ::-1] - low - 0.5)
    return mask, (int(low[0]), int(low[1]))


def to_labels(
    objects: Sequence[ReadObject],
    *,
    name: str,
    shape: tuple[int, int] | None = None,
    classes: Sequence[str] = (),
) -> ReadLabels:
    """Paint objects into one label image; where two meet, the more confident wins.

    Parameters
    ----------
    objects
        They keep their numbers if all have one and no two the same; else they are
        counted.
    name
        Of the image.
    shape
        (Y, X) of the image; by default it ends where the last object ends.
    classes
        Names of classes 1..C; those of the objects by default.

    Raises
    ------
    ValueError
        If the image would be far too large.
    """
    height, width = shape or _extent(objects)
    check_size(height, width)
    labels = np.zeros((height, width), np.int32)
    numbers = _numbers(objects)
    order = sorted(range(len(objects)), key=lambda i: -_known(objects[i].confidence))
    for i in order:
        y0, x0 = objects[i].origin
        y1, x1 = objects[i].end
        window = labels[y0:y1, x0:x1]
        inside = objects[i].mask[: window.shape[0], : window.shape[1]]
        window[inside & (window == 0)] = numbers[i]
    names = tuple(classes) or tuple(dict.fromkeys(o.class_name for o in objects))
    return ReadLabels(name, labels, _table(objects, numbers, labels, names), names)


def check_size(height: int, width: int) -> None:
    """Refuse an image that is far too large to be labelled at once.

    Raises
    ------
    ValueError
        If it is.
    """
    if height * width > _MOST_PIXELS:
        raise ValueError(
            f"The objects lie in an image of {height} x {width} pixels, too large to "
            "be labelled at once; export the objects of a part of it."
        )


def rows_by_label(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose row i is label i + 1; rows of missing labels stay empty."""
    count = int(table["label"].max()) if len(table) else 0
    rows = table.set_index("label").reindex(range(1, count + 1))
    for column in table.columns.drop("label"):
        # Gaps would turn whole numbers into floats and words into a mixture.
        kind = table[column].dtype.kind
        if kind in "iub":
            rows[column] = rows[column].fillna(0).astype(table[column].dtype)
        elif kind != "f":
            rows[column] = rows[column].fillna("")
    return rows.reset_index()


def _table(
    objects: Sequence[ReadObject],
    numbers: Sequence[int],
    labels: NDArray[np.int32],
    classes: tuple[str, ...],
) -> pd.DataFrame:
    by_number = dict(zip(numbers, objects, strict=True))
    present = np.unique(labels[labels > 0]).tolist()
    kept = [by_number[number] for number in present]
    found = Instances.from_labels(
        labels,
        [classes.index(o.class_name) + 1 for o in kept],
        [o.score for o in kept],
        [o.quality for o in kept],
    )
    return rows_by_label(found.to_table(labels, np.arange(len(kept)), classes))


def _numbers(objects: Sequence[ReadObject]) -> list[int]:
    named = [o.number for o in objects if o.number is not None and o.number > 0]
    is_usable = len(set(named)) == len(objects) and max(named, default=0) < 2**24
    return named if is_usable else list(range(1, len(objects) + 1))


def _known(confidence: float) -> float:
    """Return a number that sorts; an unknown confidence is the highest."""
    return math.inf if math.isnan(confidence) else confidence


def _extent(objects: Sequence[ReadObject]) -> tuple[int, int]:
    ends = np.array([o.end for o in objects] or [(1, 1)])
    height, width = ends.max(axis=0).tolist()
    return height, width
