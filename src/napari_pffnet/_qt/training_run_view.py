"""What is seen of a training while it goes on, and afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QProgressBar, QTabWidget, QVBoxLayout, QWidget

from napari_pffnet._qt.loss_plot import LossPlot, ScorePlot
from napari_pffnet._qt.training_form import duration_text
from napari_pffnet._qt.training_preview import (
    FOUND_COLOR,
    TRUE_COLOR,
    TrainingPreview,
)
from napari_pffnet.messages import LossStep, Progress, ScoreStep

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_pffnet.messages import ArrayFile


class TrainingRunView(QWidget):
    """Progress, scores, losses, and the present prediction.

    Attributes
    ----------
    scores
        Validations of the run so far.
    seconds_per_step
        Mean, scoring included; 0 before the first step.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.scores: list[ScoreStep] = []
        self.seconds_per_step = 0.0
        self._best_picture: NDArray[np.int32] | None = None
        self._build()

    def _build(self) -> None:
        self.progress = QProgressBar(self)
        self.status = QLabel(self)
        self.status.setWordWrap(True)
        self.preview = TrainingPreview(self)
        self.legend = QLabel(
            f"<span style='color:{_css(TRUE_COLOR)}'>■</span> your labels &nbsp; "
            f"<span style='color:{_css(FOUND_COLOR)}'>■</span> the model &nbsp; "
            "<span style='color:white'>■</span> both",
            self,
        )
        self.legend.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.score_plot = ScorePlot(self)
        self.loss_plot = LossPlot(self)
        self.tabs = QTabWidget(self)
        self.tabs.addTab(self._build_first_page(), "How good")
        self.tabs.addTab(self.loss_plot, "Losses")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for part in (self.progress, self.status, self.tabs):
            layout.addWidget(part)

    def _build_first_page(self) -> QWidget:
        page = QWidget(self)
        inside = QVBoxLayout(page)
        inside.setContentsMargins(0, 4, 0, 0)
        for part in (self.preview, self.legend, self.score_plot):
            inside.addWidget(part)
        inside.addStretch()
        return page

    def begin(self) -> None:
        """Forget the last run."""
        self.scores.clear()
        self._best_picture = None
        self.seconds_per_step = 0.0
        for part in (self.preview, self.score_plot, self.loss_plot):
            part.clear()
        self.progress.setRange(0, 0)
        self.progress.show()
        self.status.show()
        self.status.setText("Getting ready…")

    def add(self, step: Progress | LossStep | ScoreStep) -> None:
        """Show one more message of the run."""
        if isinstance(step, Progress):
            self.status.setText(f"{step.text}…")
        elif isinstance(step, LossStep):
            self._add_loss(step)
        else:
            self._add_score(step)

    def end(self) -> None:
        """Show no more progress, and what the best weights found."""
        if self._best_picture is not None:
            self.preview.setArrays(self._best_picture)
        self.progress.hide()
        self.status.hide()

    def before(self) -> ScoreStep | None:
        """Return the scores of the base model; None if training began from scratch."""
        return next((score for score in self.scores if score.step == 0), None)

    def best(self) -> ScoreStep | None:
        """Return the scores of the best weights so far."""
        return next((x for x in reversed(self.scores) if x.is_best), None)

    def _add_loss(self, step: LossStep) -> None:
        self.loss_plot.add(step)
        self.seconds_per_step = step.seconds / step.step
        self.progress.setRange(0, step.steps)
        self.progress.setValue(step.step)
        left = (step.steps - step.step) * self.seconds_per_step
        ending = f"about {duration_text(left)} left" if left else "finishing"
        self.status.setText(f"Step {step.step} of {step.steps}, {ending}")

    def _add_score(self, score: ScoreStep) -> None:
        self.scores.append(score)
        self.score_plot.add(score)
        if score.preview is not None:
            self._show(score.preview, is_best=score.is_best)

    def _show(self, preview: ArrayFile, *, is_best: bool) -> None:
        try:
            arrays = np.load(preview.path, allow_pickle=False)
        except OSError:
            # The job was cancelled since, and its folder is gone.
            return
        self.preview.setArrays(arrays)
        if is_best:
            self._best_picture = arrays


def _css(color: tuple[int, int, int]) -> str:
    return f"rgb{color}"
