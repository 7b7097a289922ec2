"""Chooses which objects are looked at, and in which order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QToolButton,
    QWidget,
)
from superqt.utils import signals_blocked

from napari_pffnet.review import Filters, default_column, sortable_columns

if TYPE_CHECKING:
    import pandas as pd

_TITLES = {
    "confidence": "confidence",
    "score": "score",
    "quality": "quality",
    "area": "area (pixels)",
    "area_um2": "area (µm²)",
    "bbox_y0": "top",
    "bbox_x0": "left",
    "bbox_y1": "bottom",
    "bbox_x1": "right",
    "t": "time",
    "z": "plane",
}
_BORDERS: dict[str, bool | None] = {
    "anywhere": None,
    "touching the border": True,
    "not touching the border": False,
}


class OrderPanel(QWidget):
    """Chooses which objects are looked at, and in which order.

    Signals
    -------
    valueChanged
        The user chose something.
    """

    valueChanged = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.column = QComboBox(self)
        self.direction = QToolButton(self)
        self.direction.setCheckable(True)
        self.direction.setToolTip("Turn the order round")
        self.unreviewed = QCheckBox("only not yet reviewed", self)
        self.unreviewed.setChecked(True)
        self.border = QComboBox(self)
        self.border.addItems(list(_BORDERS))
        self.classes = QComboBox(self)
        self._quality_below: float | None = None
        first = QHBoxLayout()
        first.addWidget(self.column, stretch=1)
        first.addWidget(self.direction)
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Order by", first)
        form.addRow("Show", self.unreviewed)
        form.addRow("", self.border)
        form.addRow("Class", self.classes)
        self._form = form
        self._show_direction()
        self.direction.toggled.connect(self._on_direction_toggled)
        self.column.currentIndexChanged.connect(self.valueChanged)
        self.border.currentIndexChanged.connect(self.valueChanged)
        self.classes.currentIndexChanged.connect(self.valueChanged)
        self.unreviewed.toggled.connect(self.valueChanged)

    def setTable(self, table: pd.DataFrame, column: str | None = None) -> None:
        """Offer what there is in a table; the worst first unless a column is given."""
        names = sortable_columns(table)
        wanted = column if column in names else default_column(table)
        with signals_blocked(self.column), signals_blocked(self.classes):
            self.column.clear()
            for name in names:
                self.column.addItem(_TITLES.get(name, name), name)
            self.column.setCurrentIndex(max(0, self.column.findData(wanted)))
            self.classes.clear()
            self.classes.addItem("all", None)
            for name in sorted(table["class"].unique()):
                self.classes.addItem(str(name), str(name))
        # With one class there is nothing to choose.
        self._form.setRowVisible(self.classes, self.classes.count() > 2)

    def order(self) -> str | None:
        """Return the column; None if no column tells the objects apart."""
        name: str | None = self.column.currentData()
        return name

    def is_ascending(self) -> bool:
        """Tell whether small values come first."""
        return not self.direction.isChecked()

    def filters(self) -> Filters:
        """Return which objects are looked at."""
        return Filters(
            unreviewed=self.unreviewed.isChecked(),
            border=_BORDERS[self.border.currentText()],
            class_name=self.classes.currentData(),
            quality_below=self._quality_below,
        )

    def setQualityBelow(self, value: float | None) -> None:
        """Look only at objects of lower quality; None: at all."""
        self._quality_below = value
        self.valueChanged.emit()

    def _on_direction_toggled(self) -> None:
        self._show_direction()
        self.valueChanged.emit()

    def _show_direction(self) -> None:
        small_first = "lowest first" if self.is_ascending() else "highest first"
        self.direction.setText(small_first)
