"""A review in a layer of napari: keys, painting, undo, and the table."""

from __future__ import annotations

import logging
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject, QTimer, Signal

from napari_pffnet._qt.background import Background
from napari_pffnet._qt.layers import features_from_table, table_from_features
from napari_pffnet._qt.reviews import end_review
from napari_pffnet.review import Rectangle

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from napari.layers import Labels
    from numpy.typing import NDArray

    from napari_pffnet.review import ReviewSession, Step
    from napari_pffnet.review.store import ReviewFolder

_log = logging.getLogger("napari_pffnet")

# More pixels are drawn sooner by napari's own refresh.
_MANY_PIXELS = 200_000
_PAUSE_MS = 300
_VIEW_PAUSE_MS = 1000


class ReviewLayer(QObject):
    """Keeps a layer and its review alike, whichever of the two is changed.

    Parameters
    ----------
    layer
        Its array is the one that the session edits.
    session
        The review.
    folder
        Where it is kept.

    Signals
    -------
    changed
        Something was done, by whomever.
    painted
        The user painted with napari's tools; the object that it was about.
    complained
        What was asked for cannot be done; a sentence.
    ended
        The layer got another array, with other objects.
    """

    changed = Signal()
    painted = Signal(int)
    complained = Signal(str)
    ended = Signal()

    def __init__(
        self, layer: Labels, session: ReviewSession, folder: ReviewFolder
    ) -> None:
        super().__init__()
        self.layer, self.session, self.folder = layer, session, folder
        self._is_ours = False
        self._bound: list[Callable[..., None]] = []
        self._is_painted = self._is_repainted = False
        self._writing: Background | None = None
        self._adoption = _timer(self, _PAUSE_MS, self.sync)
        self._painting = _timer(self, 0, self.sync)
        self._view = _timer(self, _VIEW_PAUSE_MS, self._write_view)
        self._show_table()
        layer.events.paint.connect(self._on_paint)
        layer.events.features.connect(self._on_features)
        layer.events.data.connect(self._on_data)

    # ------------------------------------------------------------- keys

    def bind_keys(self, actions: Mapping[str, Callable[[], None]]) -> None:
        """Let keys do something while the layer is active."""
        for key, action in actions.items():
            # napari hands the layer over.
            bound = _without_layer(action)
            self.layer.bind_key(key, bound, overwrite=True)
            self._bound.append(bound)

    def close(self) -> None:
        """Let go of the layer, and write what other programs read."""
        self.sync()
        end_review(self.layer)
        # By now another review, or the user, may have taken a key.
        for key, action in list(self.layer.keymap.items()):
            if action in self._bound:
                self.layer.bind_key(key, None)
        self._bound.clear()
        for name, slot in (
            ("paint", self._on_paint),
            ("features", self._on_features),
            ("data", self._on_data),
        ):
            with suppress(ValueError):
                getattr(self.layer.events, name).disconnect(slot)
        self._adoption.stop()
        self._painting.stop()
        self._finish_view()

    # ------------------------------------------------------------- steps

    def do(self, action: Callable[[], object]) -> bool:
        """Do something with the session and show it; tell whether it went well."""
        self.sync()
        before = self.session.last_step
        try:
            action()
        except (ValueError, OSError) as error:
            self.complained.emit(str(error))
            return False
        step = self.session.last_step
        if step is not None and step is not before:
            self._show_step(step, forward=True)
        return True

    def undo(self) -> Step | None:
        """Take back the last step, whatever made it, and return it."""
        self.sync()
        return self._moved(self.session.undo, forward=False)

    def redo(self) -> Step | None:
        """Make the step again that was taken back last, and return it."""
        self.sync()
        return self._moved(self.session.redo, forward=True)

    def _moved(self, move: Callable[[], Step | None], *, forward: bool) -> Step | None:
        try:
            step = move()
        except (ValueError, OSError) as error:
            self.complained.emit(str(error))
            return None
        if step is not None:
            self._show_step(step, forward=forward)
        return step

    def sync(self) -> None:
        """Take over what was changed in the layer since."""
        self._adoption.stop()
        self._painting.stop()
        if not self._holds():
            return
        try:
            if self._is_repainted:
                self._is_painted = self._is_repainted = False
                table = table_from_features(self.layer.features)
                if self.session.adopt(table if "area" in table else None):
                    self._changed()
            elif self._is_painted:
                self._is_painted = False
                self._take_over_painting()
        except (ValueError, OSError) as error:
            self.complained.emit(str(error))

    def _holds(self) -> bool:
        """Tell whether the layer still shows the array that is reviewed."""
        return self.layer.data is self.session.labels

    def _take_over_painting(self) -> None:
        label = self.session.painted()
        step = self.session.last_step
        if label is None or step is None:
            return
        if self.layer.selected_label != label and self.layer.selected_label:
            # It was the number of an object that is gone.
            self.layer.selected_label = label
        self._show_step(step, forward=True)
        self.painted.emit(label)

    # ------------------------------------------------------------- what is shown

    def place_of(self, label: int) -> tuple[Rectangle, NDArray[np.bool_]]:
        """Return the rectangle around an object and its pixels there."""
        from napari_pffnet.review.table import BOX  # here, so that widgets open sooner

        row = self.session.table[list(BOX)].to_numpy()[label - 1]
        y0, x0, y1, x1 = row.tolist()
        plane = self.session.plane_of(label)
        place = Rectangle(y0, x0, y1, x1, plane)
        return place, self.session.labels[plane][place.slices] == label

    def _show_step(self, step: Step, *, forward: bool) -> None:
        if step.patch is not None:
            patch = step.patch
            self._redraw(patch.start, patch.before, patch.after, forward=forward)
        self._show_table()
        self._changed()

    def _redraw(
        self,
        start: tuple[int, ...],
        before: NDArray[np.int32],
        after: NDArray[np.int32],
        *,
        forward: bool,
    ) -> None:
        """Let napari draw the changed pixels only: all of a large layer take long."""
        inside = np.nonzero(before != after)
        if inside[0].size > _MANY_PIXELS:
            self.layer.refresh()
            return
        data: Any = self.layer.data
        where = tuple(i + first for i, first in zip(inside, start, strict=True))
        values = data[where].copy()
        # napari draws what it changes itself, so it has to find what was before.
        data[where] = (before if forward else after)[inside]
        self._is_ours = True
        try:
            self.layer.data_setitem(where, values)
        finally:
            self._is_ours = False

    def _show_table(self) -> None:
        self._is_ours = True
        try:
            self.layer.features = features_from_table(self.session.table)
        finally:
            self._is_ours = False

    def _changed(self) -> None:
        self._view.start()
        self.changed.emit()

    def _write_view(self) -> None:
        """Write what other programs read, while the user goes on."""
        if self._writing is not None:
            # One at a time, or an older state could come last.
            self._view.start()
            return
        labels, table = self.session.labels.copy(), self.session.table.copy()
        self._writing = Background(partial(self.folder.write_view, labels, table))
        self._writing.returned.connect(self._on_view_written)
        self._writing.raised.connect(self._on_view_failed)
        self._writing.start()

    def _finish_view(self) -> None:
        """Return when the last state is written."""
        if self._writing is not None:
            self._writing.wait()
        if self._view.isActive():
            self._view.stop()
            try:
                self.folder.write_view(self.session.labels, self.session.table)
            except (ValueError, OSError) as error:
                self._on_view_failed(error)

    def _on_view_written(self) -> None:
        self._writing = None

    def _on_view_failed(self, error: Exception) -> None:
        self._writing = None
        # The steps themselves are safe; this is only what other programs read.
        _log.warning(
            "labels.tif and objects.csv of the review were not written: %s", error
        )

    # ------------------------------------------------------------- napari's events

    def _on_paint(self) -> None:
        # napari tells of it before the pixels have changed.
        if not self._is_ours:
            self._is_painted = True
            self._painting.start()

    def _on_features(self) -> None:
        # The live threshold has painted the objects anew, or numbered them.
        if not self._is_ours:
            self._is_repainted = True
            self._adoption.start()

    def _on_data(self) -> None:
        if not self._holds():
            self.ended.emit()


def _without_layer(action: Callable[[], None]) -> Callable[[Labels], None]:
    return lambda _: action()


def _timer(parent: QObject, pause_ms: int, slot: Callable[[], None]) -> QTimer:
    timer = QTimer(parent)
    timer.setSingleShot(True)
    timer.setInterval(pause_ms)
    timer.timeout.connect(slot)
    return timer
