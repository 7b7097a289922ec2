"""Says what of the image is right, so that training may learn from it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Shapes
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_pffnet._qt.background import Background
from napari_pffnet._qt.layer_choice import LayerChoice
from napari_pffnet.review import Rectangle

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Labels
    from numpy.typing import NDArray

    from napari_pffnet._qt.review_run import ReviewRun
    from napari_pffnet.review.plane import ReviewedPlane

_PAUSE_MS = 300


class TrainingPanel(QWidget):
    """Marks rectangles or the whole image as done, and shows what that gives.

    Parameters
    ----------
    viewer
        Its Shapes layers hold the rectangles.
    """

    def __init__(self, viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._run: ReviewRun | None = None
        self._work: Background | None = None
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(_PAUSE_MS)
        self.complete = QCheckBox("Image complete: every object is right", self)
        self.shapes = LayerChoice(viewer, (Shapes,), parent=self)
        self.mark_button = QPushButton("Mark them as done", self)
        self.mark_button.setToolTip(
            "In the rectangles of this Shapes layer every object is right and none "
            "is missing."
        )
        self.text = QLabel(self)
        self.text.setWordWrap(True)
        form = QFormLayout()
        form.addRow("Rectangles", self.shapes)
        form.addRow("", self.mark_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.complete)
        layout.addLayout(form)
        layout.addWidget(self.text)
        self._pause.timeout.connect(self._measure)
        self.complete.clicked.connect(self._on_completed)
        self.mark_button.clicked.connect(self._on_marked)
        viewer.dims.events.point.connect(self.refresh)

    def setRun(self, run: ReviewRun | None) -> None:
        """Work on a review."""
        self._run = run
        self.refresh()

    def refresh(self) -> None:
        """Show what counts in the plane that is shown, a moment later."""
        # The area of a large image takes a while to find: only where it is seen.
        if self._run is not None and self.isVisible():
            self.complete.setChecked(self._run.session.marks.is_complete)
            self._pause.start()

    def _measure(self) -> None:
        """Find the share of the plane that counts, while the user goes on."""
        if self._run is None or not self.isVisible():
            return
        if self._work is not None:
            # One at a time, or an older answer could come last.
            self._pause.start()
            return
        shown = _shown_plane(self._viewer, self._run.bound.layer)
        plane = self._run.session.reviewed_plane(shown).copy()
        self._work = Background(partial(_what_counts, plane))
        self._work.returned.connect(self._on_measured)
        self._work.raised.connect(self._on_failed)
        self._work.start()

    def _on_measured(self, sentence: str) -> None:
        self._work = None
        self.text.setText(sentence)

    def _on_failed(self, error: Exception) -> None:
        self._work = None
        self.text.setText(
            f"How much training learns from is not known: {error}. The review itself "
            "is kept; close large layers and fold this part out again."
        )

    def showEvent(self, event: Any) -> None:
        """Show what has changed while nobody looked."""
        super().showEvent(event)
        self.refresh()

    def _on_completed(self, is_complete: bool) -> None:
        run = self._run
        if run is not None:
            run.bound.do(lambda: run.session.set_complete(is_complete))

    def _on_marked(self) -> None:
        run, shapes = self._run, self.shapes.value()
        if run is None:
            return
        if not isinstance(shapes, Shapes) or not shapes.data:
            self.text.setText("Draw rectangles in a Shapes layer first.")
            return
        layer = run.bound.layer
        places = [
            _rectangle([layer.world_to_data(shapes.data_to_world(p)) for p in corners])
            for corners in shapes.data
        ]
        run.bound.do(lambda: run.session.mark_done(places))


def _what_counts(plane: ReviewedPlane) -> str:
    share, marks = float(plane.reviewed_area().mean()), plane.marks
    why = "the boxes of reviewed objects"
    if marks.is_complete:
        why = "the whole image"
    elif marks.done:
        count = len(marks.done)
        why = "1 rectangle" if count == 1 else f"{count} rectangles"
    part = "under 1%" if 0 < share < 0.01 else f"{share:.0%}"
    return f"Training learns from {part} of this image: {why}."


def _shown_plane(viewer: Viewer, layer: Labels) -> tuple[int, ...]:
    point = layer.world_to_data(viewer.dims.point)[:-2]
    highest = np.array(layer.data.shape[:-2]) - 1
    return tuple(np.clip(np.round(point), 0, highest).astype(int).tolist())


def _rectangle(corners: list[NDArray[np.float64]]) -> Rectangle:
    """Return the pixels inside of a drawn shape's box."""
    points = np.array(corners)
    # Pixel i of a layer of napari spans i - 0.5 to i + 0.5.
    ends = np.array([points.min(axis=0)[-2:], points.max(axis=0)[-2:]]) + 0.5
    y0, x0, y1, x1 = np.maximum(np.round(ends), 0).astype(int).ravel().tolist()
    plane = tuple(np.round(points[0, :-2]).astype(int).tolist())
    return Rectangle(y0, x0, y1, x1, plane)
