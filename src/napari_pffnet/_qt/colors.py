"""Objects coloured by what the table says of them, with a legend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from napari.utils.colormaps import Colormap, DirectLabelColormap
from qtpy.QtCore import QRectF, Qt, Signal
from qtpy.QtGui import QColor, QLinearGradient, QPainter
from qtpy.QtWidgets import QComboBox, QFormLayout, QLabel, QVBoxLayout, QWidget
from superqt.utils import signals_blocked

if TYPE_CHECKING:
    import pandas as pd
    from napari.layers import Labels
    from numpy.typing import NDArray
    from qtpy.QtGui import QPaintEvent

# Low is what a reviewer looks for: it glows.  Told apart by the colour-blind too.
_GRADIENT = Colormap(
    [[0.90, 0.25, 0.10], [1.0, 0.85, 0.35], [0.25, 0.55, 0.90]], name="low to high"
)
_STEPS = 64
# Okabe and Ito's colours for categories.
_CLASSES = ("#56b4e9", "#e69f00", "#009e73", "#f0e442", "#cc79a7", "#d55e00", "#0072b2")
_TITLES = {
    "": "each its own",
    "quality": "quality of the outline",
    "score": "score: is it an object?",
    "confidence": "confidence: both in one",
    "class": "class",
}


@dataclass(frozen=True, slots=True)
class Legend:
    """What the colours stand for.

    Attributes
    ----------
    low, high
        Values at the ends of the gradient.
    classes
        Names and colours instead, for a column of names.
    """

    low: float = 0.0
    high: float = 1.0
    classes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class _Colored:
    """How a layer is coloured, and the colours that it had."""

    column: str
    former: Any


_colored: WeakKeyDictionary[Labels, _Colored] = WeakKeyDictionary()


def column_of(layer: Labels) -> str:
    """Return the column by which a layer is coloured; "" for none."""
    return _colored[layer].column if layer in _colored else ""


def color_by(layer: Labels, column: str) -> Legend | None:
    """Colour the objects of a layer by a column of its features.

    Parameters
    ----------
    layer
        Row k of its features is label k.
    column
        A column of numbers or of names; "" gives the layer its own colours back.

    Returns
    -------
    Legend or None
        None where there is nothing to explain.
    """
    if not column:
        if layer in _colored:
            layer.colormap = _colored.pop(layer).former
        return None
    former = _colored[layer].former if layer in _colored else layer.colormap
    values = layer.features[column].iloc[1:]
    is_number = values.dtype.kind in "fiu"
    colors, legend = _by_number(values) if is_number else _by_name(values)
    # None stands for labels that have no row.
    table: dict[int | None, Any] = {None: "gray", 0: "transparent"}
    table.update(enumerate(colors, start=1))
    layer.colormap = DirectLabelColormap(color_dict=table)
    _colored[layer] = _Colored(column, former)
    return legend


def _by_number(values: pd.Series[Any]) -> tuple[list[Any], Legend]:
    known = values[np.isfinite(values)]
    # From the worst object on, so that it is seen; but good ones are never red.
    low = min(0.9, float(known.min())) if len(known) else 0.9
    high = max(1.0, float(known.max())) if len(known) else 1.0
    shares = ((values - low) / (high - low)).fillna(0).to_numpy(float)
    # Few colours: napari is quick with them.
    return list(_GRADIENT.map(np.round(shares * _STEPS) / _STEPS)), Legend(low, high)


def _by_name(values: pd.Series[Any]) -> tuple[list[Any], Legend]:
    names = sorted(set(values.astype(str)))
    colors = {name: _CLASSES[i % len(_CLASSES)] for i, name in enumerate(names)}
    return [colors[name] for name in values.astype(str)], Legend(
        classes=tuple(colors.items())
    )


# ------------------------------------------------------------------- widgets


class ColorPanel(QWidget):
    """Chooses the column by which the objects of a layer are coloured."""

    colored = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._layer: Labels | None = None
        self._rows = 0
        self.list = QComboBox(self)
        self.list.setToolTip("Colour the objects by what the model thinks of them.")
        self.list.currentIndexChanged.connect(self._on_column_chosen)
        self.legend = LegendBar(self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("Colour by", self.list)
        layout.addLayout(form)
        layout.addWidget(self.legend)
        self.setLayer(None)

    def layer(self) -> Labels | None:
        """Return the layer that is coloured."""
        return self._layer

    def setLayer(self, layer: Labels | None) -> None:
        """Colour another layer; those before stay as they are."""
        self._layer = layer
        columns = [] if layer is None else [*_shown_columns(layer)]
        with signals_blocked(self.list):
            self.list.clear()
            for column in ("", *columns):
                self.list.addItem(_TITLES[column], column)
            if layer is not None:
                index = self.list.findData(column_of(layer))
                self.list.setCurrentIndex(max(index, 0))
        self.setEnabled(layer is not None)
        self.refresh()

    def refresh(self) -> None:
        """Colour again after the layer's table has changed."""
        layer = self._layer
        self._rows = 0 if layer is None else len(layer.features)
        self.legend.setLegend(
            None if layer is None else color_by(layer, self._column())
        )

    def refresh_new(self) -> None:
        """Colour again if the layer's table has other rows than before."""
        if self._layer is not None and len(self._layer.features) != self._rows:
            self.refresh()

    def _column(self) -> str:
        return self.list.currentData() or ""

    def _on_column_chosen(self) -> None:
        self.refresh()
        self.colored.emit()


def _shown_columns(layer: Labels) -> list[str]:
    """Return the columns that tell something: no qualities where there are none."""
    features = layer.features
    return [
        name
        for name in _TITLES
        if name in features.columns and features[name].iloc[1:].notna().any()
    ]


class LegendBar(QWidget):
    """A gradient between two numbers, or the names of classes in their colours."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.text = QLabel(self)
        self.text.setTextFormat(Qt.TextFormat.RichText)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 0, 4, 0)
        self.gradient = _Gradient(self)
        layout.addWidget(self.gradient)
        layout.addWidget(self.text)
        self.setLegend(None)

    def setLegend(self, legend: Legend | None) -> None:
        """Explain other colours; None hides the legend."""
        self.setVisible(legend is not None)
        if legend is None:
            return
        self.gradient.setVisible(not legend.classes)
        if legend.classes:
            swatches = [
                f'<span style="color:{color}">■</span> {name}'
                for name, color in legend.classes
            ]
            self.text.setText("&nbsp;&nbsp; ".join(swatches))
        else:
            self.text.setText(
                "<table width='100%'><tr>"
                f"<td>lowest {legend.low:.2f}</td>"
                f"<td align='right'>{legend.high:.2f}</td></tr></table>"
            )


class _Gradient(QWidget):
    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setFixedHeight(10)

    def paintEvent(self, event: QPaintEvent) -> None:
        gradient = QLinearGradient(0, 0, self.width(), 0)
        places: NDArray[np.float64] = np.linspace(0, 1, 9)
        for place, color in zip(places, _GRADIENT.map(places), strict=True):
            gradient.setColorAt(float(place), QColor.fromRgbF(*color.tolist()))
        with QPainter(self) as painter:
            painter.fillRect(QRectF(self.rect()), gradient)
