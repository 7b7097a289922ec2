"""Keep or discard a model that was just trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_pffnet._qt.training_plan import checked_name

if TYPE_CHECKING:
    from napari_pffnet.messages import ScoreStep, TrainDone


class KeepPanel(QGroupBox):
    """Shows how much better a new model is, and asks what shall become of it.

    Signals
    -------
    kept
        Emits the name under which it is to be kept.
    discarded
        It is not wanted.
    """

    kept = Signal(str)
    discarded = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("The new model", parent)
        self.verdict = QLabel(self)
        self.notes = QLabel(self)
        self.name = QLineEdit(self)
        self.name.setToolTip("By this name you find it in Segment.")
        self.complaint = QLabel(self)
        for label in (self.verdict, self.notes, self.complaint):
            label.setWordWrap(True)
        self.keep_button = QPushButton("Keep", self)
        self.discard_button = QPushButton("Discard", self)
        self.keep_button.setDefault(True)
        self._lay_out()
        self.keep_button.clicked.connect(self._on_keep_clicked)
        self.name.returnPressed.connect(self._on_keep_clicked)
        self.discard_button.clicked.connect(self.discarded)
        self.hide()

    def _lay_out(self) -> None:
        named = QHBoxLayout()
        named.addWidget(QLabel("Name", self))
        named.addWidget(self.name, stretch=1)
        buttons = QHBoxLayout()
        buttons.addWidget(self.keep_button, stretch=1)
        buttons.addWidget(self.discard_button, stretch=1)
        layout = QVBoxLayout(self)
        layout.addWidget(self.verdict)
        layout.addWidget(self.notes)
        layout.addLayout(named)
        layout.addWidget(self.complaint)
        layout.addLayout(buttons)

    def ask(
        self,
        done: TrainDone,
        name: str,
        before: ScoreStep | None,
        best: ScoreStep | None,
    ) -> None:
        """Ask what shall become of a model.

        Parameters
        ----------
        done
            The end of its training.
        name
            A name for it that is free.
        before, best
            Scores of the model it began with and of itself.
        """
        self.verdict.setText(_verdict(before, best, is_held_out=done.is_held_out))
        self.verdict.setToolTip(
            "Mean of AJI (how well outlines agree) and PQ (how many objects are "
            "found, and how well)."
        )
        self.notes.setText("\n".join(done.notes))
        self.notes.setVisible(bool(done.notes))
        self.complaint.hide()
        self.name.setText(name)
        self.show()

    def complain(self, sentence: str) -> None:
        """Say why it could not be kept."""
        self.complaint.setText(sentence)
        self.complaint.show()

    def _on_keep_clicked(self) -> None:
        try:
            name = checked_name(self.name.text())
        except ValueError as error:
            self.complain(str(error))
        else:
            self.kept.emit(name)


def _verdict(
    before: ScoreStep | None, best: ScoreStep | None, *, is_held_out: bool
) -> str:
    if best is None:
        return "It was not scored."
    after = f"{best.agreement:.0%}"
    labels = "the labels set aside" if is_held_out else "the labels it learnt from"
    if before is None:
        return f"Agreement with {labels}: <b>{after}</b>."
    change = f"before {before.agreement:.0%}, now <b>{after}</b>"
    return f"Agreement with {labels}:<br>{change}."
