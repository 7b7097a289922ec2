"""Changes of labels and table that other parts of the program made, as a step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from napari_pffnet.review.patches import Patch
from napari_pffnet.review.steps import CellChange, Step, to_cell
from napari_pffnet.review.table import complete_table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_pffnet.review.steps import State


def adoption(
    state: State, table: pd.DataFrame | None, protected: NDArray[np.int64]
) -> Step | None:
    """Return the step that takes over the shown labels and a new table.

    Parameters
    ----------
    state
        Its shown labels are as they are now, its known ones as they were.
    table
        Row i is label i + 1; None: the table that is known.
    protected
        Objects with a verdict or an edit.

    Returns
    -------
    None if nothing is different.
    """
    patch = Patch.between(state.known, state.labels)
    if patch is None and table is None:
        return None
    new = complete_table(state.labels, state.table if table is None else table)
    if table is not None and "verdict" not in table:
        old = state.table["verdict"].reindex(range(len(new)), fill_value="")
        new["verdict"] = old.to_numpy()
    cells = _differences(state, new)
    if patch is None and not cells and len(new) == len(state.table):
        return None
    return Step(
        kind="renumber" if _is_renumbered(patch, protected) else "outside",
        patch=patch,
        cells=tuple(cells),
        rows=(len(state.table), len(new)),
    )


def _is_renumbered(patch: Patch | None, protected: NDArray[np.int64]) -> bool:
    """Tell whether a pixel of an object that is never repainted has changed."""
    if patch is None:
        return False
    is_changed = patch.before != patch.after
    return bool(np.isin(patch.before[is_changed], protected).any())


def _differences(state: State, new: pd.DataFrame) -> list[CellChange]:
    """Return the cells of a new table that are not as they were."""
    cells = []
    for name, column in new.items():
        old: pd.Series[Any] = pd.Series(np.nan, new.index, object)
        if name in state.table:
            old = state.table[name].reindex(new.index).astype(object)
        values = column.astype(object)
        # An unknown number in a row that is blank needs no word either.
        is_same = (old == values) | (old.isna() & values.isna())
        rows = np.flatnonzero(~is_same.to_numpy())
        # All at once: one by one they take half a minute in a large image.
        pairs = zip(old.to_numpy()[rows], values.to_numpy()[rows], strict=True)
        for row, (before, after) in zip(rows.tolist(), pairs, strict=True):
            change = CellChange(row + 1, str(name), to_cell(before), to_cell(after))
            cells.append(change)
    return cells
