"""Steps of a review: what a person did, in a form that can be undone and stored."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from napari_pffnet.review.area import Marks
from napari_pffnet.review.patches import Patch, StoredPatch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

Verdict = Literal["", "accepted", "rejected", "fixed", "merged"]
StepKind = Literal[
    "accept", "reject", "fix", "add", "merge", "split", "delete", "paint",
    "mark", "outside", "renumber",
]  # fmt: skip
Action = Literal["do", "undo", "redo"]
Cell = bool | int | float | str | None


@dataclass(frozen=True, slots=True)
class CellChange:
    """A new value in the table; None is an unknown number."""

    label: int
    column: str
    before: Cell
    after: Cell


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One thing that a person did.

    Attributes
    ----------
    kind
        What it was; ``outside`` if another part of the program changed labels or
        table, ``renumber`` if that gave objects other labels.
    label
        The object that it was about, 0 for none.
    patch
        Pixels that changed.
    cells
        Values that changed in the table.
    rows
        Its number of rows before and after; None if it stays.
    marks
        The marks before and after.
    """

    kind: StepKind
    label: int = 0
    patch: Patch | None = None
    cells: tuple[CellChange, ...] = ()
    rows: tuple[int, int] | None = None
    marks: tuple[Marks, Marks] | None = None

    @property
    def is_outside(self) -> bool:
        """Whether something else than the review made it: it is never undone."""
        return self.kind in ("outside", "renumber")

    @property
    def touched(self) -> tuple[int, ...]:
        """Labels whose pixels changed."""
        return () if self.patch is None else self.patch.touched


class StoredStep(BaseModel):
    """A line of the history in its file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    action: Action = "do"
    time: str = ""
    kind: StepKind = "outside"
    label: int = 0
    patch: StoredPatch | None = None
    cells: tuple[tuple[int, str, Cell], ...] = ()
    rows: int | None = None
    marks: Marks | None = None


@dataclass(slots=True, eq=False)
class State:
    """Labels, table and marks as they are now.

    Attributes
    ----------
    labels
        (..., Y, X) integers, the array that is shown.
    known
        Equal labels as int32, by which changes from outside are seen.
    table
        Row i is label i + 1.
    """

    labels: NDArray[np.integer[Any]]
    known: NDArray[np.int32]
    table: pd.DataFrame
    marks: Marks = field(default_factory=Marks)

    def apply(self, step: Step) -> None:
        """Make a step."""
        if step.rows is not None:
            self.table = with_rows(self.table, step.rows[1])
        if step.rows is not None and step.is_outside:
            self.table = self.table.iloc[: step.rows[1]].copy()
        if step.patch is not None:
            step.patch.apply(self.labels)
            step.patch.apply(self.known)
        _write_cells(self.table, [(c.label, c.column, c.after) for c in step.cells])
        if step.marks is not None:
            self.marks = step.marks[1]

    def revert(self, step: Step) -> None:
        """Take a step back."""
        if step.patch is not None:
            step.patch.revert(self.labels)
            step.patch.revert(self.known)
        _write_cells(self.table, [(c.label, c.column, c.before) for c in step.cells])
        if step.marks is not None:
            self.marks = step.marks[0]
        # Rows that came later from elsewhere stay, and so do those before them.
        if step.rows is not None and len(self.table) == step.rows[1]:
            self.table = self.table.iloc[: step.rows[0]].copy()

    def number(self, label: int, column: str) -> int:
        """Return a whole number of the table."""
        return int(self.table[column].to_numpy()[label - 1])

    def cell(self, label: int, column: str, value: Any) -> CellChange:
        """Return the change of one value, for an object with or without a row."""
        if label > len(self.table):
            before = None if column not in self.table else _blank(self.table[column])
        else:
            before = to_cell(self.table[column].to_numpy()[label - 1])
        return CellChange(label, column, before, to_cell(value))


def to_cell(value: Any) -> Cell:
    """Return a value of a table as a plain one that JSON knows."""
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, float):
        return None if np.isnan(plain) else plain
    return plain if isinstance(plain, bool | int | str) else None


def store_step(step: Step) -> StoredStep:
    """Return what a file keeps of a step."""
    return StoredStep(
        time=datetime.now(UTC).isoformat(timespec="seconds"),
        kind=step.kind,
        label=step.label,
        patch=None if step.patch is None else step.patch.stored(),
        cells=tuple((c.label, c.column, c.after) for c in step.cells),
        rows=None if step.rows is None else step.rows[1],
        marks=None if step.marks is None else step.marks[1],
    )


def restore_step(stored: StoredStep, state: State) -> Step:
    """Return a step of a file, for a state as it was when it was made."""
    patch = stored.patch
    marks = stored.marks
    return Step(
        kind=stored.kind,
        label=stored.label,
        patch=None if patch is None else Patch.restored(patch, state.known),
        cells=tuple(state.cell(*change) for change in stored.cells),
        rows=None if stored.rows is None else (len(state.table), stored.rows),
        marks=None if marks is None else (state.marks, marks),
    )


def with_rows(table: pd.DataFrame, rows: int) -> pd.DataFrame:
    """Return a table with at least so many rows, blank ones at its end."""
    first, count = len(table) + 1, rows - len(table)
    if count <= 0:
        return table
    blank = {
        name: pd.Series([_blank(column)] * count, dtype=column.dtype)
        for name, column in table.items()
    }
    blank["label"] = pd.Series(range(first, rows + 1), dtype=table["label"].dtype)
    return pd.concat([table, pd.DataFrame(blank)], ignore_index=True)


def _blank(column: pd.Series[Any]) -> Cell:
    """Return what stands for nothing in a column."""
    if pd.api.types.is_bool_dtype(column):
        return False
    if pd.api.types.is_integer_dtype(column):
        return 0
    return None if pd.api.types.is_numeric_dtype(column) else ""


def _write_cells(table: pd.DataFrame, cells: Sequence[tuple[int, str, Cell]]) -> None:
    columns: dict[str, dict[int, Any]] = {}
    for label, column, value in cells:
        new = np.nan if value is None else value
        columns.setdefault(column, {})[label - 1] = new
    for column, values in columns.items():
        if len(values) > 1:
            _write_column(table, column, values)
            continue
        # Most steps change a cell, or one in a few columns: this is quicker then.
        for row, value in values.items():
            table.at[row, column] = value


def _write_column(table: pd.DataFrame, column: str, values: dict[int, Any]) -> None:
    """Write the values of some rows at once: cell by cell takes seconds."""
    new: Any = list(values.values())
    if column in table:
        has_fractions = any(isinstance(value, float) for value in new)
        if table[column].dtype.kind in "iu" and has_fractions:
            table[column] = table[column].astype(np.float64)
        # As one of its type, or pandas refuses int64 for a column of int32.
        new = pd.array(new, dtype=table[column].dtype)
    table.loc[list(values), column] = new
