"""Plots of how good the network thinks its objects are, and how good they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import Qt, Signal

from napari_pffnet._qt.still_plot import StillPlot
from napari_pffnet.review.truth import BAD_OVERLAP, WORST

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from qtpy.QtWidgets import QWidget

    from napari_pffnet.review import Trust

_BINS = 25
_BAR, _LINE, _BAD = "#4aa8ff", "#ffd400", "#ff6b6b"
_TEXT = "#c8ccd4"


class QualityHistogram(StillPlot):
    """How many objects have which quality, and a threshold that can be dragged.

    Signals
    -------
    thresholdChanged
        The user let go of the line; 0..1.
    """

    thresholdChanged = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("predicted quality", "objects", parent)
        self._bars = pg.BarGraphItem(
            x0=[], x1=[], height=[], brush=_BAR, pen=pg.mkPen(None)
        )
        self._line = pg.InfiniteLine(
            pos=1.0, movable=True, bounds=(0, 1), pen=pg.mkPen(_LINE, width=2)
        )
        self._line.sigPositionChangeFinished.connect(self._on_line_moved)
        self.addItem(self._bars)
        self.addItem(self._line)
        self.setXRange(0, 1, padding=0.05)

    def setQualities(self, qualities: NDArray[np.floating]) -> None:
        """Show the qualities of the objects; unknown ones are left out."""
        known = qualities[~np.isnan(qualities)]
        counts, edges = np.histogram(known, _BINS, (0, 1))
        self._bars.setOpts(x0=edges[:-1], x1=edges[1:], height=counts)
        self.setYRange(0, max(1, int(counts.max())), padding=0.05)

    def threshold(self) -> float:
        """Return where the line is."""
        return float(self._line.value())

    def setThreshold(self, value: float) -> None:
        """Move the line without telling anybody."""
        self._line.setValue(value)

    def _on_line_moved(self) -> None:
        self.thresholdChanged.emit(self.threshold())


class TrustPlot(StillPlot):
    """Predicted quality against true overlap, a point an object."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("predicted quality", "true overlap (IoU)", parent)
        self._points = pg.ScatterPlotItem(size=6, pen=pg.mkPen(None))
        dashed = pg.mkPen(_TEXT, style=Qt.PenStyle.DashLine)
        # On the line the network is right about itself; below the other it has failed.
        self.addItem(pg.PlotDataItem([0, 1], [0, 1], pen=dashed))
        self.addItem(pg.InfiniteLine(pos=BAD_OVERLAP, angle=0, pen=pg.mkPen(_BAD)))
        self.addItem(self._points)
        self.setXRange(0, 1, padding=0.05)
        self.setYRange(0, 1, padding=0.05)

    def setTrust(self, trust: Trust) -> None:
        """Show the objects of a comparison."""
        is_bad = trust.true_ious < BAD_OVERLAP
        brushes = [pg.mkBrush(_BAD if bad else _BAR) for bad in is_bad.tolist()]
        self._points.setData(trust.estimates, trust.true_ious, brush=brushes)
        self.setLabel("bottom", f"predicted {trust.column}")


def describe_trust(trust: Trust) -> str:
    """Say in sentences how far the estimates can be trusted."""
    count = len(trust.labels)
    if trust.bad == 0:
        return f"None of the {count} objects is bad (overlap with the truth below 0.5)."
    are = "is" if trust.bad == 1 else "are"
    lines = [f"{trust.bad} of {count} objects {are} bad (overlap below 0.5)."]
    lines += [
        f"The {k:.0f} % worst by confidence hold {found.share:.0%} of them; "
        f"at best it could be {found.ceiling:.0%}."
        for k, found in zip(WORST, trust.worst, strict=True)
        if k in (10.0, 20.0)
    ]
    if not np.isnan(trust.spearman):
        lines.append(f"Rank correlation with the truth: {trust.spearman:.2f}.")
    return "\n".join(lines)
