"""The table of a review: a row for every label, measured from the labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import ndimage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

BOX = ("bbox_y0", "bbox_x0", "bbox_y1", "bbox_x1")
_LEADING = ("t", "z")
_MOST_LABELS = 2_000_000
# Of a layer without a table: one class, and nobody has guessed how good they are.
_UNKNOWN: dict[str, str | int | float] = {
    "class": "object",
    "class_id": 1,
    "score": np.nan,
    "quality": np.nan,
    "confidence": np.nan,
}


def leading_columns(
    shape: tuple[int, ...], table: pd.DataFrame | None
) -> tuple[str, ...]:
    """Return the columns that tell in which plane of a stack an object lies.

    Parameters
    ----------
    shape
        Of the labels, (..., Y, X).
    table
        Its columns ``t`` and ``z`` tell which axes these are, where it has them, and
        their order.
    """
    is_long = [size > 1 for size in shape[:-2]]
    columns = () if table is None else table.columns
    names = [str(name) for name in columns if name in _LEADING]
    if len(names) != sum(is_long):
        names = list(_LEADING[len(_LEADING) - sum(is_long) :])
    return tuple(
        names.pop(0) if long else f"axis_{i}" for i, long in enumerate(is_long)
    )


def check_reviewable(labels: Any) -> None:
    """Refuse what cannot be reviewed.

    Raises
    ------
    ValueError
        If the labels are no array in memory, have too many or too few axes, or ids
        that are too large or negative.
    """
    if not isinstance(labels, np.ndarray):
        raise ValueError(
            "These labels are read from disk piece by piece and cannot be edited in "
            "place; duplicate the layer with its data in memory and review that."
        )
    if labels.ndim not in (2, 3, 4):
        raise ValueError(
            f"The labels have {labels.ndim} axes; a review takes one image (Y, X), a "
            "stack or a time series of images, or a time series of stacks."
        )
    highest, lowest = int(labels.max(initial=0)), int(labels.min(initial=0))
    if highest > _MOST_LABELS or lowest < 0:
        wrong = highest if highest > _MOST_LABELS else lowest
        raise ValueError(
            f"The labels hold the number {wrong}; objects need numbers from 1 to "
            f"{_MOST_LABELS:,}. Renumber them first."
        )


def measure(labels: NDArray[np.integer[Any]], columns: Sequence[str]) -> pd.DataFrame:
    """Measure the objects of labels (..., Y, X).

    Parameters
    ----------
    labels
        0 is background.
    columns
        Names for the numbers of the plane, one for each leading axis.

    Returns
    -------
    Rows in rising ``label``: plane and box where an object is largest, ``area`` over
    all planes, and ``touches_border``.
    """
    parts = [measure_plane(labels[plane]) for plane in np.ndindex(labels.shape[:-2])]
    for part, plane in zip(parts, np.ndindex(labels.shape[:-2]), strict=True):
        part[list(columns)] = plane
    found = pd.concat(parts, ignore_index=True)
    found = found.sort_values(["label", "area"], kind="stable")
    groups = found.groupby("label")
    largest = groups.tail(1).set_index("label")
    largest["area"] = groups["area"].sum()
    largest["touches_border"] = groups["touches_border"].any()
    return largest.reset_index()


def measure_plane(labels: NDArray[np.integer[Any]]) -> pd.DataFrame:
    """Measure the objects of a single plane (Y, X): rows in rising ``label``."""
    areas = np.bincount(labels.ravel())[1:]
    ids = np.flatnonzero(areas) + 1
    # Several times faster than sorting the pixels of a large image by their labels.
    found = ndimage.find_objects(labels)
    ends = [[(part.start, part.stop) for part in found[i - 1]] for i in ids]
    boxes = np.array(ends, np.int64).reshape(-1, 2, 2).swapaxes(1, 2).reshape(-1, 4)
    at_end = boxes[:, 2:] == np.array(labels.shape)
    rows = {"label": ids, "area": areas[ids - 1]}
    rows |= dict(zip(BOX, boxes.T, strict=True))
    table = pd.DataFrame(rows)
    table["touches_border"] = ((boxes[:, :2] == 0) | at_end).any(axis=1)
    return table


def complete_table(
    labels: NDArray[np.integer[Any]], table: pd.DataFrame | None
) -> pd.DataFrame:
    """Return the table of a review: row i is label i + 1, up to the highest label.

    What can be measured is measured anew, since labels may have been painted on
    after their table was made; objects without a pixel keep their old boxes.

    Parameters
    ----------
    labels
        (..., Y, X).
    table
        Row i is label i + 1, any columns; None if nothing is known.
    """
    leading = leading_columns(labels.shape, table)
    found = measure(labels, leading)
    known = pd.DataFrame() if table is None else table.reset_index(drop=True)
    count = max(int(found["label"].max()) if len(found) else 0, len(known))
    full = known.reindex(range(count))
    full["label"] = np.arange(1, count + 1)
    for name, value in _UNKNOWN.items():
        if name not in full:
            full[name] = [value] * count
        elif isinstance(value, float):
            full[name] = full[name].astype(np.float64)
        else:
            full[name] = full[name].fillna(value).astype(known[name].dtype)
    rows = found["label"].to_numpy() - 1
    for name in found.columns.drop("label"):
        new = found[name].to_numpy()
        old = full[name] if name in full and name != "area" else np.zeros(count)
        values = np.nan_to_num(np.asarray(old, np.float64)).astype(new.dtype)
        values[rows] = new
        full[name] = values
    verdicts = full["verdict"] if "verdict" in full else pd.Series("", full.index)
    full["verdict"] = verdicts.fillna("").astype(object)
    return full[_ordered(list(full.columns), leading)]


def _ordered(columns: Sequence[str], leading: Sequence[str]) -> list[str]:
    """Put the columns of a segmentation first, and the verdict behind the label."""
    first = ["label", "verdict", *leading, *_UNKNOWN, "area", *BOX]
    first.append("touches_border")
    return first + [name for name in columns if name not in first]
