"""Sliders that decide which objects are shown, without running the network again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtWidgets import QFormLayout, QHBoxLayout, QLabel, QPushButton, QWidget
from superqt import QLabeledDoubleSlider
from superqt.utils import signals_blocked

if TYPE_CHECKING:
    from napari_pffnet._qt.results import Result
    from napari_pffnet.config import CheckpointInfo

_PAUSE_MS = 30
"""Between a move of a slider and the new picture: many moves make one."""


class ThresholdPanel(QWidget):
    """Thresholds of score and quality: of the next run, and live on the last result.

    Signals
    -------
    repainted
        The result shows other objects.
    applied
        Its objects were numbered anew.
    """

    repainted = Signal()
    applied = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._result: Result | None = None
        self._default = 0.5
        self._build()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_PAUSE_MS)
        self._timer.timeout.connect(self.repaint_result)
        for slider in (self.score, self.quality):
            slider.valueChanged.connect(self._on_slider_moved)

    def chosen_score(self) -> float | None:
        """Return the lowest score that the user chose; None for the model's own."""
        score = float(round(self.score.value(), 2))
        return None if abs(score - self._default) < 0.005 else score

    def chosen_quality(self) -> float:
        """Return the lowest quality that the user chose."""
        return float(round(self.quality.value(), 2))

    def setThresholds(self, score: float | None, quality: float) -> None:
        """Show thresholds without painting; None for the model's own."""
        with signals_blocked(self.score), signals_blocked(self.quality):
            self.score.setValue(self._default if score is None else score)
            self.quality.setValue(quality)

    def setModel(self, info: CheckpointInfo | None) -> None:
        """Take the limits of a model; the score stays where the user chose it."""
        if info is None:
            return
        chosen = self.chosen_score()
        self._default = round(info.thresholds.score, 2)
        with signals_blocked(self.score):
            self.score.setRange(info.model.candidate_score, 1)
        self.setThresholds(chosen, self.chosen_quality())
        self.quality.setEnabled(info.model.has_quality_branch)

    def setResult(self, result: Result | None) -> None:
        """Paint another result from now on."""
        self._timer.stop()
        self._result = result
        self.apply_button.setEnabled(result is not None)
        if result is not None:
            self.setThresholds(result.score, result.quality)
        self._tell()

    def repaint_result(self) -> None:
        """Show the objects that reach the thresholds."""
        self._timer.stop()
        if self._result is None or self._result.instances is None:
            return
        self._result.repaint(round(self.score.value(), 2), self.chosen_quality())
        self._tell()
        self.repainted.emit()

    # ---------------------------------------------------------------- private

    def _build(self) -> None:
        self.score = _slider("How sure the model must be that this is an object.")
        self.quality = _slider("How good the model must think the outline is.")
        self.count = QLabel(self)
        self.reset_button = QPushButton("Reset", self)
        self.reset_button.setToolTip("Back to the thresholds of the model.")
        self.reset_button.clicked.connect(self._on_reset_clicked)
        self.apply_button = QPushButton("Apply", self)
        self.apply_button.setToolTip(
            "Keep what is shown: hidden objects leave the table, and the others are "
            "numbered without gaps."
        )
        self.apply_button.clicked.connect(self._on_apply_clicked)
        buttons = QHBoxLayout()
        buttons.addWidget(self.count, stretch=1)
        buttons.addWidget(self.reset_button)
        buttons.addWidget(self.apply_button)
        layout = QFormLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        layout.addRow("Score at least", self.score)
        layout.addRow("Quality at least", self.quality)
        layout.addRow(buttons)

    def _tell(self) -> None:
        if self._result is None:
            self.count.setText("")
            return
        shown, hidden = self._result.counts()
        self.count.setText(
            f"{shown:,} shown" + (f", {hidden:,} hidden" if hidden else "")
        )

    def _on_slider_moved(self) -> None:
        # Not anew with each move: a long drag is followed, too.
        if not self._timer.isActive():
            self._timer.start()

    def _on_reset_clicked(self) -> None:
        self.setThresholds(None, 0.0)
        self.repaint_result()

    def _on_apply_clicked(self) -> None:
        # What is shown is what is kept, also right after a move of a slider.
        self.repaint_result()
        if self._result is not None and self._result.instances is not None:
            self._result.apply()
            self._tell()
            self.applied.emit()


def _slider(help_text: str) -> QLabeledDoubleSlider:
    slider = QLabeledDoubleSlider(Qt.Orientation.Horizontal)
    slider.setRange(0, 1)
    # superqt types this method of its double slider as that of integers.
    step: Any = 0.01
    slider.setSingleStep(step)
    slider.setDecimals(2)
    slider.setToolTip(help_text)
    return slider
