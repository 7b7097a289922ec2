"""One review that goes on: which object is looked at, and what is done with it."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QObject, Signal

from napari_pffnet._qt.review_tools import MouseTool
from napari_pffnet._qt.review_view import ObjectView, outline
from napari_pffnet.review import Filters, in_order, passes

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari import Viewer
    from numpy.typing import NDArray

    from napari_pffnet._qt.review_layer import ReviewLayer
    from napari_pffnet._qt.review_tools import ToolName
    from napari_pffnet.review import Rectangle, Step

_ASKS: dict[ToolName, str] = {
    "merge": "Click the object that belongs to the one in the yellow outline.",
    "split": "Draw a line right across the object, with the mouse button down.",
    "delete": "Click the object to delete.",
}
_BRUSH_PART = 4
_CONTOUR = 2


class ReviewRun(QObject):
    """Goes from object to object and does what the user says.

    Parameters
    ----------
    viewer
        Where the layer is.
    bound
        The layer and its review.

    Signals
    -------
    moved
        Another object is looked at, or the same one anew.
    said
        What the user should do or know, a sentence; "" takes it away.
    toolChanged
        What the mouse does now: the name of a tool, or "".
    """

    moved = Signal()
    said = Signal(str)
    toolChanged = Signal(str)

    def __init__(self, viewer: Viewer, bound: ReviewLayer) -> None:
        super().__init__()
        self.bound, self.session = bound, bound.session
        self._layer, self._viewer = bound.layer, viewer
        size = _usual_size(self.session.table["area"].to_numpy())
        self.view = ObjectView(viewer, self._layer, size)
        self._tool = MouseTool(
            self._layer, self.view, self._on_tool_click, self._on_tool_line
        )
        self._layer.brush_size = max(1, round(size / _BRUSH_PART))
        self.current = 0
        self.is_zooming = True
        self._order: NDArray[np.int64] = np.empty(0, np.int64)
        self._filters = Filters()
        bound.complained.connect(self.said)
        bound.painted.connect(self._on_painted)
        self._layer.events.selected_label.connect(self._on_selected)
        viewer.layers.selection.active = self._layer

    def close(self) -> None:
        """Leave the layer as napari has it."""
        self._layer.events.selected_label.disconnect(self._on_selected)
        self.drop_tool()
        self.show_outlines(False)
        self.view.close()
        self.bound.close()

    # ------------------------------------------------------------- where to look

    def set_order(self, column: str | None, *, ascending: bool) -> None:
        """Put the objects in order of a column; None: as they are numbered."""
        table = self.session.table
        name = "label" if column is None else column
        self._order = in_order(table, name, ascending=ascending)

    def set_filters(self, filters: Filters) -> None:
        """Look only at some objects."""
        self._filters = filters

    def go_first(self) -> None:
        """Go to the first object in order."""
        self.current = 0
        self._go(+1)

    def go_next(self) -> None:
        """Go to the next object that passes the filters."""
        self._go(+1)

    def go_back(self) -> None:
        """Go to the object before, also if it has a verdict by now."""
        self._go(-1)

    def go_to(self, label: int) -> None:
        """Look at an object."""
        self.drop_tool()
        self.current = label
        place, mask = self.bound.place_of(label)
        self.view.show(place, mask, zoom=self.is_zooming)
        self._layer.selected_label = label
        self._viewer.layers.selection.active = self._layer
        self._layer.mode = "pan_zoom"
        self.moved.emit()

    def _go(self, direction: int) -> None:
        self.bound.sync()
        filters = self._filters
        if direction < 0:
            filters = Filters(False, filters.border, filters.class_name)
        is_open = passes(self.session.table, filters)
        here = np.flatnonzero(self._order == self.current)
        start = int(here[0]) if len(here) else -1
        rest = self._order[start + 1 :] if direction > 0 else self._order[:start][::-1]
        rest = rest[is_open[rest - 1]]
        if direction > 0 and not len(rest):
            # From the end on with what was left open before.
            rest = self._order[is_open[self._order - 1]]
            rest = rest[rest != self.current]
        if len(rest):
            self.said.emit("")
            self.go_to(int(rest[0]))
        else:
            self.moved.emit()
            self.said.emit("No other object passes the filters.")

    # ------------------------------------------------------------- verdicts

    def accept(self) -> None:
        """Say that the object is right, and go on."""
        self._judge(lambda: self.session.accept(self.current))

    def reject(self) -> None:
        """Say that there is no such object, and go on."""
        self._judge(lambda: self.session.reject(self.current))

    def fix(self) -> None:
        """Mend the object with napari's brush."""
        self.drop_tool()
        label = self.current
        if self.bound.do(lambda: self.session.fix(label)):
            self._layer.selected_label = label
            self._layer.mode = "paint"
            self.moved.emit()
            self.said.emit(
                "Paint what is missing; erase with the eraser (key E). "
                "Go on with Next (N)."
            )

    def _judge(self, verdict: Callable[[], None]) -> None:
        if self.bound.do(verdict):
            self.go_next()

    # ------------------------------------------------------------- repairs

    def add(self) -> None:
        """Paint an object that was missed."""
        self.drop_tool()
        self.bound.sync()
        self._layer.selected_label = len(self.session.table) + 1
        self._layer.mode = "paint"
        self.view.clear()
        self.said.emit("Paint the missed object. Go on with Next (N).")

    def take_tool(self, name: ToolName) -> None:
        """Let the next click or line repair something; again to leave it."""
        was = self._tool.name
        self.drop_tool()
        if was != name:
            self._tool.take(name)
            self.toolChanged.emit(name)
            self.said.emit(_ASKS[name])

    def show_outlines(self, is_wanted: bool) -> None:
        """Show the outlines of all objects instead of filling them."""
        contour = _CONTOUR if is_wanted else 0
        # napari draws the layer anew, even where nothing changes.
        if self._layer.contour != contour:
            self._layer.contour = contour

    def drop_tool(self) -> None:
        """Give the mouse back to napari."""
        if self._tool.name is not None:
            self._tool.drop()
            self.toolChanged.emit("")
            self.said.emit("")

    def show_place(self, place: Rectangle, mask: NDArray[np.bool_]) -> None:
        """Go to a place that is no object."""
        self.drop_tool()
        self.current = 0
        self.view.show(place, mask, zoom=self.is_zooming)
        self.moved.emit()

    def _on_selected(self) -> None:
        """Follow a click in napari's table of features, or with its label picker."""
        label = self._layer.selected_label
        rows = self.session.table["area"].to_numpy()
        if label == self.current or not 0 < label <= len(rows) or not rows[label - 1]:
            return
        if self._layer.mode in ("pan_zoom", "pick") and self._tool.name is None:
            self.go_to(label)

    def _on_painted(self, label: int) -> None:
        self.current = label
        place, mask = self.bound.place_of(label)
        self.view.draw(outline(mask, place))
        self.moved.emit()

    def _on_tool_click(self, name: ToolName, label: int) -> None:
        self.toolChanged.emit("")
        self.said.emit("")
        if name == "merge":
            done = self.bound.do(lambda: self.session.merge(self.current, label))
        else:
            done = self.bound.do(lambda: self.session.delete(label))
        if done and (name == "merge" or label == self.current):
            self.go_to(self.current)

    def _on_tool_line(self, points: NDArray[np.float64]) -> None:
        self.toolChanged.emit("")
        self.said.emit("")
        plane = tuple(np.round(points[0, :-2]).astype(int).tolist())
        # The review counts from the corner of a pixel, napari from its middle.
        path = points[:, -2:] + 0.5
        label = self._crossed(path, plane)
        if label and self.bound.do(lambda: self.session.split(label, path, plane)):
            self.go_to(label)
        elif self.current:
            place, mask = self.bound.place_of(self.current)
            self.view.show(place, mask, zoom=False)

    def _crossed(self, path: NDArray[np.float64], plane: tuple[int, ...]) -> int:
        """Return the object that most of a line runs through; 0 for none."""
        leading = self.session.labels.shape[:-2]
        # The slider goes as far as the largest layer does.
        if not all(0 <= i < n for i, n in zip(plane, leading, strict=True)):
            self.said.emit(
                f"These objects have no plane {' '.join(map(str, plane))}; go to one "
                "that shows them, and draw the line there."
            )
            return 0
        labels = self.session.labels[plane]
        steps = np.linspace(0, 1, 50)[:, None]
        dense = np.concatenate([a + (b - a) * steps for a, b in pairwise(path)])
        y, x = np.floor(dense).astype(int).T
        inside = (y >= 0) & (x >= 0) & (y < labels.shape[0]) & (x < labels.shape[1])
        met = labels[y[inside], x[inside]]
        met = met[met > 0]
        if not len(met):
            self.said.emit("The line meets no object; draw it across one.")
            return 0
        return int(np.bincount(met).argmax())

    # ------------------------------------------------------------- undo

    def undo(self) -> None:
        """Take back the last step, and look at what it was about."""
        self._show_moved(self.bound.undo(), "There is nothing to undo.")

    def redo(self) -> None:
        """Make a step again that was taken back."""
        self._show_moved(self.bound.redo(), "There is nothing to redo.")

    def _show_moved(self, step: Step | None, nothing: str) -> None:
        self.said.emit(nothing if step is None else "")
        if step is not None and 0 < step.label <= len(self.session.table):
            self.go_to(step.label)
        elif step is not None:
            self.moved.emit()


def _usual_size(areas: NDArray[np.integer]) -> float:
    """Return the side of a typical object, pixels."""
    there = areas[areas > 0]
    return float(np.sqrt(np.median(there))) if len(there) else 20.0
