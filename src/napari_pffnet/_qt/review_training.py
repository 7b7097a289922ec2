"""Says what of the image is right, so that training may learn from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Shapes
from qtpy.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_pffnet._qt.layer_choice import LayerChoice
from napari_pffnet.review import Rectangle

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Labels
    from numpy.typing import NDArray

    from napari_pffnet._qt.review_run import ReviewRun


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
        self.complete.clicked.connect(self._on_completed)
        self.mark_button.clicked.connect(self._on_marked)
        viewer.dims.events.point.connect(self.refresh)

    def setRun(self, run: ReviewRun | None) -> None:
        """Work on a review."""
        self._run = run
        self.refresh()

    def refresh(self) -> None:
        """Show what counts in the plane that is shown."""
        # The area of a large image takes a while to find: only where it is seen.
        if self._run is None or not self.isVisible():
            return
        session = self._run.session
        marks = session.marks
        plane = _shown_plane(self._viewer, self._run.bound.layer)
        share = session.reviewed_area(plane).mean()
        why = "the boxes of reviewed objects"
        if marks.is_complete:
            why = "the whole image"
        elif marks.done:
            why = (
                "1 rectangle"
                if len(marks.done) == 1
                else f"{len(marks.done)} rectangles"
            )
        self.complete.setChecked(marks.is_complete)
        part = "under 1%" if 0 < share < 0.01 else f"{share:.0%}"
        self.text.setText(f"Training learns from {part} of this image: {why}.")

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
