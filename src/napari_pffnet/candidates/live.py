"""The live threshold: objects painted anew from the candidates while sliders move."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from napari_pffnet.candidates.planes import PlaneCandidates, Repainted
from napari_pffnet.candidates.rows import NO_CANDIDATE, ObjectRows
from napari_pffnet.instances import Rows

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from napari_pffnet.instances import Instances

_BLANK = {"b": False, "i": 0, "u": 0, "f": np.nan}
"""What columns of the user hold for new objects, by kind; others hold ""."""


class LiveObjects:
    """Painted objects that come and go with two thresholds and keep their ids.

    A candidate keeps its id also while it is hidden; one that is shown for the
    first time gets the next free id, which is the number of rows + 1.

    Parameters
    ----------
    candidates
        Of all planes.
    labels
        As ``candidates.paint()`` returned them; perhaps edited since.  `repaint`
        and `apply` change this array in place, so give the layer's own.
    table
        That came with them; rows may have been added and columns too.

    Raises
    ------
    ValueError
        If labels or table are not of these candidates.
    """

    def __init__(
        self,
        candidates: PlaneCandidates,
        labels: NDArray[np.int32],
        table: pd.DataFrame,
    ) -> None:
        self.candidates = candidates
        self.labels = labels
        self._rows = ObjectRows(candidates.planes)
        for number, plane in enumerate(candidates.planes):
            painted = plane.paint(
                score_threshold=candidates.score_threshold, covered=candidates.covered
            )
            self._rows.add(number, painted.index)
        count = len(self._rows)
        scores = candidates.describe(self._rows.planes, self._rows.index)["score"]
        alike = np.array_equal(table["score"].to_numpy()[:count], scores)
        if labels.shape != candidates.shape or not alike:
            raise ValueError(
                f"Labels of shape {labels.shape} with {len(table)} objects are not "
                "painted from these candidates; give what paint() returned."
            )
        self.protect((), table)

    def protect(self, ids: Iterable[int], table: pd.DataFrame | None = None) -> None:
        """Keep these objects, and no others, as they are in the labels.

        They never vanish, and what else is painted is painted around them; one
        that has no pixels (rejected, deleted) stays away, and so do candidates
        that it covers.  Objects that are no candidates are always kept.

        Parameters
        ----------
        ids
            All objects with a verdict or an edit.
        table
            As it is now, row i is label i + 1, where it was changed: more rows,
            other values, more columns (verdict).  `repaint` keeps these.

        Raises
        ------
        ValueError
            If the table has fewer rows than there are objects.
        """
        self._protected = np.array([i for i in ids if i > 0], np.int64)
        self._painted: list[NDArray[np.bool_] | None]
        self._painted = [None] * len(self.candidates.planes)
        if table is not None:
            if len(table) < len(self._rows):
                raise ValueError(
                    f"The table has {len(table)} rows for {len(self._rows)} objects; "
                    "hidden and deleted ones keep theirs."
                )
            self._table = table.reset_index(drop=True)
        self._admit(max([len(self._table), *self._protected]))

    def repaint(self, score: float, quality: float = 0.0) -> Repainted:
        """Paint what reaches both thresholds; overlaps are resolved anew.

        Returns
        -------
        Repainted
            The labels that were given, changed in place, and a new table: rows of
            objects that are hidden have area 0.
        """
        self._admit(int(self.labels.max(initial=0)))
        held = self._held()
        for number, plane in enumerate(self.candidates.planes):
            wanted, before = plane.reach(score, quality), self._painted[number]
            if before is None or not np.array_equal(wanted, before):
                self._repaint_plane(number, wanted, held)
                self._painted[number] = wanted
        self._grow_table()
        return self._result(np.arange(1, len(self._rows) + 1))

    def apply(self) -> Repainted:
        """Drop the rows of hidden objects and number the others 1..N.

        In the order of `PlaneCandidates.paint`; what is no candidate comes last in
        its plane.  Rows of protected objects stay, also those without pixels.
        """
        self._admit(int(self.labels.max(initial=0)))
        planes = range(len(self.candidates.planes))
        for number in planes:
            self._rows.measure(number, self._view(number))
        kept = self._rows.areas > 0
        kept[self._protected - 1] = True
        order = self._rows.order()
        rows = order[kept[order]]
        self._grow_table()
        self._table = self._table.iloc[rows].reset_index(drop=True)
        labels = self._rows.renumber(rows)
        for number in planes:
            self._view(number)[...] = labels[self._view(number)]
        self._protected = labels[self._protected]
        return self._result(rows + 1)

    @property
    def is_candidate(self) -> NDArray[np.bool_]:
        """(rows,) whether each object is a candidate, not made by the user."""
        known: NDArray[np.bool_] = self._rows.index != NO_CANDIDATE
        return known

    # ------------------------------------------------------------- one by one

    def _view(self, number: int) -> NDArray[np.int32]:
        """Return the labels of one plane, to be changed in place."""
        leading = self.candidates.leading
        place = np.unravel_index(number, leading) if leading else ()
        view: NDArray[np.int32] = self.labels[place]
        return view

    def _admit(self, highest: int) -> None:
        """Take in objects of the user that have no row yet, up to this label."""
        missing = highest - len(self._rows)
        if missing > 0:
            self._rows.add(0, np.full(missing, NO_CANDIDATE))
            self._painted = [None] * len(self._painted)

    def _held(self) -> NDArray[np.bool_]:
        """Say which labels 0..N are not painted anew; False for the background."""
        held = np.append(False, self._rows.index == NO_CANDIDATE)
        held[self._protected] = True
        return held

    def _repaint_plane(
        self, number: int, wanted: NDArray[np.bool_], held: NDArray[np.bool_]
    ) -> None:
        """Paint the candidates of a plane around the objects that are held."""
        plane, view = self.candidates.planes[number], self._view(number)
        ids = self._rows.ids[number]
        # Here candidates are numbered 1..N, and objects that are held after them.
        kept = np.flatnonzero(held)
        numbers = np.zeros(len(held), np.int32)
        numbers[kept] = np.arange(len(kept)) + len(plane) + 1
        labels = numbers[view]
        there = np.bincount(view.ravel(), minlength=len(held)) > 0
        gone = np.flatnonzero(held[ids] & ~there[ids])
        wanted = (
            wanted & ~held[ids] & ~_covered_by(gone, plane, self.candidates.covered)
        )
        painted = plane.paint_free(labels, wanted, covered=self.candidates.covered)
        self._rows.add(number, painted[ids[painted] == 0])
        view[...] = np.concatenate([[0], ids, kept]).astype(np.int32)[labels]
        self._rows.measure(number, view)

    def _grow_table(self) -> None:
        """Describe the objects that have no row in the table yet."""
        rows, known = self._rows, len(self._table)
        new = pd.DataFrame(
            self.candidates.describe(rows.planes[known:], rows.index[known:])
        )
        for name in self._table.columns.difference(new.columns):
            new[name] = _BLANK.get(self._table[name].dtype.kind, "")
        self._table = pd.concat([self._table, new], ignore_index=True)

    def _result(self, former: NDArray[np.int64]) -> Repainted:
        """Bring what is measured in the table up to date and return it."""
        rows = self._rows
        self._table = self._table.assign(
            label=np.arange(1, len(rows) + 1, dtype=np.int32),
            **self.candidates.places(rows.planes),
            **self.candidates.measured(rows.boxes, rows.areas),
        )
        return Repainted(self.labels, self._table.copy(), former.astype(np.int32))


def _covered_by(
    gone: NDArray[np.int64], plane: Instances, covered: float
) -> NDArray[np.bool_]:
    """Say which (N,) candidates lie under those that are gone."""
    under = np.zeros(len(plane), np.bool_)
    if not len(gone):
        return under
    most, rows = covered * plane.areas, Rows(plane.boxes)
    for i in gone.tolist():
        for j in rows.meeting(plane.boxes[i].tolist()).tolist():
            under[j] |= plane.intersection(i, j) > most[j]
    return under
