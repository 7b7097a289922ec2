"""In which order objects are looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Filters:
    """Which objects are looked at.

    Attributes
    ----------
    unreviewed
        Only those without a verdict.
    border
        True: only those that touch the border of the image; False: only others.
    class_name
        Only those of this class.
    quality_below
        Only those of lower quality.
    """

    unreviewed: bool = True
    border: bool | None = None
    class_name: str | None = None
    quality_below: float | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a review is: objects with a verdict, and all."""

    reviewed: int
    total: int

    def __str__(self) -> str:
        """Say it in a few words."""
        return f"{self.reviewed} of {self.total} reviewed"


def is_listed(table: pd.DataFrame) -> NDArray[np.bool_]:
    """Tell which rows stand for objects: with pixels, or rejected ones."""
    is_there = table["area"] > 0
    return np.asarray(is_there | (table["verdict"] == "rejected"), np.bool_)


def progress(table: pd.DataFrame) -> Progress:
    """Count the objects that have a verdict."""
    listed = table.loc[is_listed(table), "verdict"]
    return Progress(int((listed != "").sum()), len(listed))


def sortable_columns(table: pd.DataFrame) -> list[str]:
    """Return the columns by which objects can be put in order: numbers that differ."""
    rows = table[is_listed(table)]
    return [
        str(name)
        for name in rows.select_dtypes("number")
        if name not in ("label", "class_id") and rows[name].nunique() > 1
    ]


def default_column(table: pd.DataFrame) -> str:
    """Return the column that brings the worst objects first."""
    known = table.loc[is_listed(table), "confidence"].notna().any()
    # Without a guess of the network, small pieces are the likely mistakes.
    return "confidence" if known else "area"


def in_order(
    table: pd.DataFrame, column: str, *, ascending: bool = True
) -> NDArray[np.int64]:
    """Return the labels of all objects in order; unknown values come last.

    Raises
    ------
    ValueError
        If there is no such column.
    """
    if column not in table:
        raise ValueError(
            f"The table has no column {column!r}; use one of "
            f"{', '.join(sortable_columns(table))}."
        )
    rows = table[is_listed(table)]
    ordered = rows.sort_values(column, ascending=ascending, kind="stable")
    return ordered["label"].to_numpy(np.int64)


def passes(table: pd.DataFrame, filters: Filters) -> NDArray[np.bool_]:
    """Tell which rows pass the filters."""
    passing = is_listed(table)
    if filters.unreviewed:
        passing = passing & (table["verdict"] == "").to_numpy()
    if filters.border is not None:
        passing = passing & (table["touches_border"] == filters.border).to_numpy()
    if filters.class_name is not None:
        passing = passing & (table["class"] == filters.class_name).to_numpy()
    if filters.quality_below is not None:
        passing = passing & (table["quality"] < filters.quality_below).to_numpy()
    return passing
