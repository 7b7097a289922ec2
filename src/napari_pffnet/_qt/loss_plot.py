"""Curves of a training, drawn while it goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyqtgraph as pg
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_pffnet._qt.still_plot import StillPlot

if TYPE_CHECKING:
    from napari_pffnet.messages import LossStep, ScoreStep

_COLORS = (
    "#8dd3c7", "#fdb462", "#bebada", "#fb8072", "#80b1d3", "#b3de69", "#fccde5",
    "#d9d9d9", "#ffed6f", "#bc80bd",
)  # fmt: skip
_TITLES = {
    "rpn_objectness": "where objects are",
    "rpn_box": "rough boxes",
    "box_class": "classes",
    "box_regression": "exact boxes",
    "mask": "outlines",
    "quality": "quality",
    "semantic": "foreground",
    "semantic_instance": "foreground by objects",
    "consistency": "agreement of both",
}
_SCORES = {
    "both": ("#ffffff", 2.5),
    "objects (PQ)": (_COLORS[1], 1.2),
    "outlines (AJI)": (_COLORS[4], 1.2),
}
_SMOOTHING = 0.9
"""Of the total: a single step says little."""
_MOST_POINTS = 1000
"""Of a curve; half of them are left when there are so many."""
_INK = "#c8ccd4"
_LOSS_HEIGHT = 300


class ScorePlot(QWidget):
    """How well the model agrees with the labels set aside, over the steps."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._plot = StillPlot("step", "agreement, %", self)
        self._before = pg.InfiniteLine(
            angle=0, pen=pg.mkPen(_INK, width=1, style=Qt.PenStyle.DashLine)
        )
        self._curves = {
            name: _curve(self._plot, color, width, symbol="o")
            for name, (color, width) in _SCORES.items()
        }
        self._scores: list[ScoreStep] = []
        colors = {name: color for name, (color, _) in _SCORES.items()}
        legend = QLabel(f"{_legend_text(colors)} -&nbsp;-&nbsp;before", self)
        legend.setWordWrap(True)
        self.setToolTip(
            "Measured on the part of your labels that is not learnt. AJI: how well the "
            "outlines agree. PQ: how many objects are found, and how well."
        )
        _stack(self, self._plot, legend)

    def clear(self) -> None:
        """Forget the last run."""
        self._scores.clear()
        self._plot.removeItem(self._before)
        self._draw()

    def add(self, score: ScoreStep) -> None:
        """Draw one more validation; that of step 0 is the line to beat."""
        self._scores.append(score)
        if score.step == 0:
            self._before.setValue(100 * score.agreement)
            self._plot.addItem(self._before)
        self._draw()

    def values(self, name: str) -> list[float]:
        """Return the heights of a curve, in percent."""
        return _heights(self._curves[name])

    def _draw(self) -> None:
        steps = [score.step for score in self._scores]
        for name, values in (
            ("outlines (AJI)", [s.aji for s in self._scores]),
            ("objects (PQ)", [s.pq for s in self._scores]),
            ("both", [s.agreement for s in self._scores]),
        ):
            self._curves[name].setData(steps, [100 * x for x in values])


class LossPlot(QWidget):
    """What the training makes smaller, by name, over the steps.

    Drawn are running means, in which the latest values count most.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._plot = StillPlot("step", "loss", self)
        self._plot.setFixedHeight(_LOSS_HEIGHT)
        self._legend = QLabel(self)
        self._legend.setWordWrap(True)
        self._curves: dict[str, pg.PlotDataItem] = {}
        _stack(self, self._plot, self._legend)
        self.clear()

    def clear(self) -> None:
        """Forget the last run."""
        self._plot.clear()
        self._legend.clear()
        self._curves.clear()
        self._points: list[tuple[int, dict[str, float]]] = []
        self._sums: dict[str, float] = {}
        self._weight = 0.0
        self._count, self._every = 0, 1

    def add(self, step: LossStep) -> None:
        """Take in one more step; of a long run only some are drawn."""
        self._weight = _SMOOTHING * self._weight + 1
        for name, value in {"total": step.total, **step.losses}.items():
            self._sums[name] = _SMOOTHING * self._sums.get(name, 0.0) + value
        self._count += 1
        if self._count % self._every:
            return
        means = {name: total / self._weight for name, total in self._sums.items()}
        self._points.append((step.step, means))
        if len(self._points) == _MOST_POINTS:
            # Drawing all of a long run would take ever longer, and no plot is as wide.
            self._points = self._points[1::2]
            self._every *= 2
        self._draw()

    def values(self, name: str) -> list[float]:
        """Return the heights of a curve."""
        return _heights(self._curves[name])

    def _draw(self) -> None:
        if not self._curves:
            self._make_curves(list(self._sums))
        steps = [step for step, _ in self._points]
        for name, curve in self._curves.items():
            curve.setData(steps, [means[name] for _, means in self._points])

    def names(self) -> list[str]:
        """Return what is drawn, as the core calls it."""
        return list(self._curves)

    def _make_curves(self, names: list[str]) -> None:
        colors = dict(zip(names, ("#ffffff", *_COLORS), strict=False))
        for name, color in colors.items():
            width = 2.5 if name == "total" else 1.2
            self._curves[name] = _curve(self._plot, color, width)
        titles = {_TITLES.get(name, name): color for name, color in colors.items()}
        self._legend.setText(_legend_text(titles))


def _heights(curve: pg.PlotDataItem) -> list[float]:
    _, heights = curve.getData()
    return [] if heights is None else heights.tolist()


def _curve(
    plot: StillPlot, color: str, width: float, symbol: str | None = None
) -> pg.PlotDataItem:
    return plot.plot(
        [], [], pen=pg.mkPen(color, width=width), symbol=symbol,
        symbolSize=2 * width + 1, symbolBrush=color, symbolPen=None,
    )  # fmt: skip


def _stack(parent: QWidget, *parts: QWidget) -> None:
    layout = QVBoxLayout(parent)
    layout.setContentsMargins(0, 0, 0, 0)
    for part in parts:
        layout.addWidget(part)
    layout.addStretch()


def _legend_text(colors: dict[str, str]) -> str:
    """Return the names of curves; below a narrow plot there is room for them."""
    return " ".join(
        f"<span style='color:{color}'>■</span>&nbsp;{name.replace(' ', '&nbsp;')}&nbsp;"
        for name, color in colors.items()
    )
