"""How good the network thinks the objects are, and whether it is right."""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from napari.layers import Labels
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QFormLayout, QLabel, QVBoxLayout, QWidget

from napari_pffnet._qt.background import Background
from napari_pffnet._qt.layer_choice import LayerChoice
from napari_pffnet._qt.layers import finest
from napari_pffnet._qt.results import find_result
from napari_pffnet.review import compare_with_truth

if TYPE_CHECKING:
    from napari import Viewer

    from napari_pffnet._qt.quality_plot import QualityHistogram, TrustPlot
    from napari_pffnet._qt.review_run import ReviewRun
    from napari_pffnet.review import Trust

_LINE = 0.8


class TrustPanel(QWidget):
    """The histogram of the quality, and the comparison with true labels.

    Parameters
    ----------
    viewer
        Among its layers are the true labels.

    Signals
    -------
    limitChanged
        Only objects below this quality are looked at; None: all.
    """

    limitChanged = Signal(object)

    def __init__(self, viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._run: ReviewRun | None = None
        self._work: Background | None = None
        self._is_stale = False
        self._line = _LINE
        self.limit = QCheckBox(self)
        self.truth = LayerChoice(viewer, (Labels,), none_title="none", parent=self)
        self.text = QLabel(self)
        self.text.setWordWrap(True)
        form = QFormLayout()
        form.addRow("True labels", self.truth)
        layout = self._layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.limit)
        layout.addLayout(form)
        layout.addWidget(self.text)
        self._compare()
        self._show_limit()
        self.limit.toggled.connect(self._on_limit)
        self.truth.valueChanged.connect(self._compare)

    # pyqtgraph takes a while to load: not before somebody looks.

    @cached_property
    def histogram(self) -> QualityHistogram:
        """How many objects have which quality, and the line."""
        from napari_pffnet._qt.quality_plot import QualityHistogram

        histogram = QualityHistogram(self)
        histogram.setThreshold(self._line)
        histogram.thresholdChanged.connect(self._on_line_moved)
        self._layout.insertWidget(0, histogram)
        return histogram

    @cached_property
    def plot(self) -> TrustPlot:
        """Predicted quality against true overlap."""
        from napari_pffnet._qt.quality_plot import TrustPlot

        plot = TrustPlot(self)
        self._layout.insertWidget(self._layout.count() - 1, plot)
        return plot

    def showEvent(self, event: Any) -> None:
        """Show what has changed while nobody looked."""
        super().showEvent(event)
        self.refresh()

    def setRun(self, run: ReviewRun | None) -> None:
        """Work on a review; the line begins where the segmentation had its own."""
        self._run = run
        if run is not None:
            result = find_result(run.bound.layer)
            used = 0.0 if result is None else result.quality
            self._line = used or _LINE
            if "histogram" in self.__dict__:
                self.histogram.setThreshold(self._line)
            self._show_limit()
        self.refresh()
        self._compare()

    def refresh(self) -> None:
        """Show the qualities as they are now."""
        if self._run is not None and self.isVisible():
            table = self._run.session.table
            there = table.loc[table["area"] > 0, "quality"]
            self.histogram.setQualities(there.to_numpy(float))
            self.histogram.setVisible(bool(there.notna().any()))
            self.limit.setVisible(bool(there.notna().any()))

    def _compare(self) -> None:
        truth = self.truth.value()
        if "plot" in self.__dict__:
            self.plot.hide()
        # One at a time, or an older answer could come last.
        self._is_stale = self._work is not None
        if self._run is None or truth is None:
            self.text.setText("Choose true labels to see how far this can be trusted.")
            return
        self.text.setText("Comparing with the true labels…")
        if self._is_stale:
            return
        session = self._run.session
        # As they are now: the user goes on, and it takes a while.
        labels, table = session.labels.copy(), session.table.copy()
        work = partial(compare_with_truth, labels, table, finest(truth))
        self._work = Background(work)
        self._work.returned.connect(self._on_compared)
        self._work.raised.connect(self._on_failed)
        self._work.start()

    def _on_compared(self, trust: Trust) -> None:
        from napari_pffnet._qt.quality_plot import describe_trust

        self._work = None
        if self._is_stale:
            self._compare()
            return
        self.plot.setTrust(trust)
        self.plot.show()
        self.text.setText(describe_trust(trust))

    def _on_failed(self, error: Exception) -> None:
        self._work = None
        if self._is_stale:
            self._compare()
        else:
            self.text.setText(str(error))

    def _on_line_moved(self, value: float) -> None:
        self._line = value
        self._on_limit()

    def _on_limit(self) -> None:
        self._show_limit()
        self.limitChanged.emit(self._line if self.limit.isChecked() else None)

    def _show_limit(self) -> None:
        self.limit.setText(f"show only those below {self._line:.2f}, the line")
