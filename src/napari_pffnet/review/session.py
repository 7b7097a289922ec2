"""One review: labels, their table, and every step that was made."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from napari_pffnet.review import edits
from napari_pffnet.review.area import Marks, Rectangle
from napari_pffnet.review.misses import Miss, likely_misses
from napari_pffnet.review.outside import adoption
from napari_pffnet.review.painting import painted
from napari_pffnet.review.plane import ReviewedPlane
from napari_pffnet.review.queue import Progress, progress
from napari_pffnet.review.steps import (
    Action,
    State,
    Step,
    StoredStep,
    restore_step,
    store_step,
)
from napari_pffnet.review.table import (
    check_reviewable,
    complete_table,
    leading_columns,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd
    from numpy.typing import NDArray

    from napari_pffnet.review.steps import StepKind, Verdict

Plane = tuple[int, ...]


class Journal(Protocol):
    """Where the steps are kept."""

    def append(self, step: StoredStep) -> None:
        """Keep a step; when this returns, it survives a crash."""


class ReviewSession:
    """Verdicts on the objects of a label image, and repairs of them.

    Every step is kept by the journal before it is made.  Objects keep their labels:
    one that is rejected loses its pixels, its row stays; new ones come last.

    Parameters
    ----------
    labels
        (Y, X), or (..., Y, X) for a stack; edited in place.
    table
        Row i is label i + 1; columns that are missing are added.  None if nothing
        but the labels is known.
    journal
        Keeps the steps; None forgets them.

    Raises
    ------
    ValueError
        If the labels cannot be edited; the sentence says what to do.

    Examples
    --------
    >>> session = ReviewSession(np.eye(4, dtype=np.int32), None)
    >>> session.reject(1)
    >>> str(session.progress)
    '1 of 1 reviewed'
    """

    def __init__(
        self,
        labels: NDArray[np.integer[Any]],
        table: pd.DataFrame | None,
        journal: Journal | None = None,
    ) -> None:
        check_reviewable(labels)
        full = complete_table(labels, table)
        self._state = State(labels, labels.astype(np.int32), full)
        self._journal = journal
        self._done: list[Step] = []
        self._undone: list[Step] = []
        # By how many of the steps that are done each label won or lost pixels.
        self._touched: Counter[int] = Counter()

    # ------------------------------------------------------------- what is

    @property
    def labels(self) -> NDArray[np.integer[Any]]:
        """(..., Y, X): the labels, edited in place."""
        return self._state.labels

    @property
    def table(self) -> pd.DataFrame:
        """Row i is label i + 1, also of objects without pixels; not to be changed.

        The columns of a segmentation and ``verdict``: "", "accepted", "rejected",
        "fixed", or "merged" for an object that became a part of another one.
        """
        return self._state.table

    @property
    def marks(self) -> Marks:
        """What was said of the image beyond single objects."""
        return self._state.marks

    @property
    def progress(self) -> Progress:
        """How many objects have a verdict, and how many there are."""
        return progress(self.table)

    @property
    def usual_area(self) -> float:
        """Median area of the objects, pixels; 0 without any."""
        areas = self.table.loc[self.table["area"] > 0, "area"]
        return float(areas.median()) if len(areas) else 0.0

    @property
    def protected(self) -> NDArray[np.int64]:
        """Labels of the objects that have a verdict or were edited, rising."""
        judged = np.flatnonzero((self.table["verdict"] != "").to_numpy()) + 1
        edited = [label for label, steps in self._touched.items() if steps > 0]
        return np.union1d(judged, np.array(edited, np.int64))

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to take back."""
        return bool(self._done)

    @property
    def can_redo(self) -> bool:
        """Whether there is a step to make again."""
        return bool(self._undone)

    @property
    def last_step(self) -> Step | None:
        """The step that `undo` would take back."""
        return self._done[-1] if self._done else None

    def keep_in(self, journal: Journal) -> None:
        """Let a journal keep the steps from now on."""
        self._journal = journal

    def show_in(self, labels: NDArray[np.integer[Any]]) -> None:
        """Go on in another array of the same shape, which gets the labels."""
        np.copyto(labels, self.labels, casting="same_kind")
        self._state.labels = labels

    def plane_of(self, label: int) -> Plane:
        """Return the plane in which an object is largest; () in a 2-D image."""
        columns = leading_columns(self.labels.shape, self.table)
        return tuple(self._state.number(label, name) for name in columns)

    def reviewed_area(self, plane: Plane = ()) -> NDArray[np.bool_]:
        """Tell which pixels of a plane, () in a 2-D image, training may learn from.

        Returns
        -------
        (Y, X) bool; `area.reviewed_area` says which.
        """
        return self.reviewed_plane(plane).reviewed_area()

    def reviewed_plane(self, plane: Plane = ()) -> ReviewedPlane:
        """Return what is known of a plane; it changes with the review: see `copy`."""
        columns = leading_columns(self.labels.shape, self.table)
        return ReviewedPlane(self.labels[plane], self.table, columns, plane, self.marks)

    def misses(self, semantic: NDArray[np.integer[Any]]) -> list[Miss]:
        """Find where a class map sees foreground and no object lies, largest first.

        Raises
        ------
        ValueError
            If it has another shape.
        """
        return likely_misses(
            self.labels,
            semantic,
            usual_area=self.usual_area,
            dismissed=self.marks.no_misses,
        )

    # ------------------------------------------------------------- verdicts

    def accept(self, label: int) -> None:
        """Say that an object is right; one that was mended stays ``fixed``."""
        is_mended = self._touched[label] > 0
        self._judge("accept", label, "fixed" if is_mended else "accepted")

    def reject(self, label: int) -> None:
        """Say that there is no such object: its pixels go, its row stays."""
        self._do(edits.erase(self._state, label, "reject"))

    def fix(self, label: int) -> None:
        """Say that an object's outline is mended by hand."""
        self._judge("fix", label, "fixed")

    def _judge(self, kind: StepKind, label: int, verdict: Verdict) -> None:
        edits.find_box(self._state, label)
        cell = self._state.cell(label, "verdict", verdict)
        self._do(Step(kind, label, cells=(cell,)))

    # ------------------------------------------------------------- repairs

    def add(self, place: Rectangle, mask: NDArray[np.bool_]) -> int:
        """Make the free pixels of a mask a new object; return its label."""
        box = (*(slice(i, i + 1) for i in place.plane), *place.slices)
        window = mask.reshape([part.stop - part.start for part in box])
        self._do(edits.add(self._state, box, window))
        return len(self.table)

    def merge(self, label: int, other: int) -> None:
        """Make ``other`` a part of ``label``."""
        self._do(edits.merge(self._state, label, other))

    def split(
        self, label: int, path: NDArray[np.floating[Any]], plane: Plane = ()
    ) -> None:
        """Cut an object along a line of points y, x; see `edits.split`."""
        self._do(edits.split(self._state, label, path, plane))

    def delete(self, label: int) -> None:
        """Take an object out: as `reject`, for one that was found by hand."""
        self._do(edits.erase(self._state, label, "delete"))

    def painted(self, plane: Plane | None = None) -> int | None:
        """Take over what was painted into `labels`, where anything was.

        Parameters
        ----------
        plane
            Where to look; None: everywhere.

        Returns
        -------
        The object that was painted; None if nothing changed.  A number that no
        object has becomes the next free one.
        """
        step = painted(self._state, plane)
        if step is None:
            return None
        self._do(step)
        return step.label

    # ------------------------------------------------------------- marks

    def mark_done(self, rectangles: Iterable[Rectangle]) -> None:
        """Say that everything in these rectangles is right, and only there."""
        marks = self.marks
        self._mark(Marks(tuple(rectangles), marks.is_complete, marks.no_misses))

    def set_complete(self, is_complete: bool) -> None:
        """Say whether everything in the image is right."""
        self._mark(Marks(self.marks.done, is_complete, self.marks.no_misses))

    def dismiss(self, miss: Miss) -> None:
        """Say that there is no object at a place that looks like one."""
        seen = (*self.marks.no_misses, miss.place)
        self._mark(Marks(self.marks.done, self.marks.is_complete, seen))

    def _mark(self, marks: Marks) -> None:
        if marks != self.marks:
            self._do(Step("mark", marks=(self.marks, marks)))

    # ------------------------------------------------------------- steps

    def undo(self) -> Step | None:
        """Take back the last step and return it; None if there is none."""
        return self._move("undo")

    def redo(self) -> Step | None:
        """Make the step again that was taken back last; None if there is none."""
        return self._move("redo")

    def adopt(self, table: pd.DataFrame | None = None) -> bool:
        """Take over what another part of the program did to labels and table.

        Call it after the live threshold has painted `labels` anew, or has numbered
        the objects anew.  It is no step that can be undone; earlier ones still
        can, unless objects with a verdict have got other labels.

        Parameters
        ----------
        table
            Row i is label i + 1, with the column ``verdict``; None: only the
            labels have changed.

        Returns
        -------
        Whether anything was different.
        """
        step = adoption(self._state, table, self.protected)
        if step is not None:
            self._do(step)
        return step is not None

    def replay(self, history: Iterable[StoredStep]) -> None:
        """Make the steps of a stored history, which are not stored again."""
        for stored in history:
            if stored.action == "do":
                self._make(restore_step(stored, self._state))
            else:
                self._shift(stored.action)

    def _do(self, step: Step) -> None:
        if self._journal is not None:
            self._journal.append(store_step(step))
        self._make(step)

    def _make(self, step: Step) -> None:
        self._state.apply(step)
        if step.kind == "renumber":
            self._done.clear()
            self._touched.clear()
        if not step.is_outside:
            self._done.append(step)
            self._touched.update(step.touched)
        self._undone.clear()

    def _move(self, action: Action) -> Step | None:
        if not (self._done if action == "undo" else self._undone):
            return None
        if self._journal is not None:
            self._journal.append(StoredStep(action=action))
        return self._shift(action)

    def _shift(self, action: Action) -> Step:
        """Move a step between what is done and what is undone."""
        if action == "undo":
            step = self._done.pop()
            self._state.revert(step)
            self._undone.append(step)
            self._touched.subtract(step.touched)
        else:
            step = self._undone.pop()
            self._state.apply(step)
            self._done.append(step)
            self._touched.update(step.touched)
        return step
