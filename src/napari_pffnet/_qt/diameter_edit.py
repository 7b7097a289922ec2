"""The expected diameter: automatic, a number, or measured from a drawing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from napari.layers import Labels, Shapes
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QDoubleSpinBox, QHBoxLayout, QMenu, QPushButton, QWidget

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Layer
    from qtpy.QtGui import QAction


class DiameterEdit(QWidget):
    """Edits a diameter in pixels of the image, or ``"auto"``.

    Signals
    -------
    valueChanged
        Another diameter is shown.
    measureRequested
        The user chose a layer with drawings to measure the diameter from.
    """

    valueChanged = Signal()
    measureRequested = Signal(object)

    def __init__(self, viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self.number = QDoubleSpinBox(self)
        self.number.setRange(0, 10_000)
        self.number.setDecimals(1)
        self.number.setSpecialValueText("automatic")
        self.number.setSuffix(" pixels")
        self.number.setToolTip(
            "How wide a typical object is, in pixels of the image. At 0 the model "
            "finds out by itself."
        )
        self.number.valueChanged.connect(self.valueChanged)
        self.menu = QMenu(self)
        self.menu.aboutToShow.connect(self.fill_menu)
        self.menu.triggered.connect(self._on_drawing_chosen)
        self.measure_button = QPushButton("Measure", self)
        self.measure_button.setToolTip(
            "Measure it: draw around a few typical objects in a Shapes or Labels "
            "layer (or a line across), then choose that layer here."
        )
        self.measure_button.setMenu(self.menu)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.number, stretch=1)
        layout.addWidget(self.measure_button)

    def value(self) -> float | Literal["auto"]:
        """Return the diameter in pixels, or ``"auto"``."""
        return self.number.value() or "auto"

    def setValue(self, diameter: float | Literal["auto"]) -> None:
        """Show another diameter."""
        self.number.setValue(0 if diameter == "auto" else diameter)

    def fill_menu(self) -> None:
        """List the layers that may hold a drawing."""
        self.menu.clear()
        drawings: list[Layer] = [
            layer
            for layer in reversed(self._viewer.layers)
            if isinstance(layer, (Shapes, Labels))
        ]
        for layer in drawings:
            action = self.menu.addAction(f"from {layer.name}")
            action.setData(layer)
        if not drawings:
            self.menu.addAction("Draw in a Shapes or Labels layer first").setEnabled(
                False
            )

    def _on_drawing_chosen(self, action: QAction) -> None:
        self.measureRequested.emit(action.data())
