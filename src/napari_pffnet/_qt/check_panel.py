"""What is wrong with the labels, and the repairs to choose from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QCheckBox, QGroupBox, QLabel, QVBoxLayout, QWidget

if TYPE_CHECKING:
    from napari_pffnet._qt.training_checks import Choice, Trouble


class CheckPanel(QGroupBox):
    """Shows troubles in words; a repair is a box to tick."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Before the training", parent)
        self._layout = QVBoxLayout(self)
        self.boxes: dict[Choice, QCheckBox] = {}
        self._troubles: tuple[Trouble, ...] = ()
        self.hide()

    def troubles(self) -> tuple[Trouble, ...]:
        """Return what is shown."""
        return self._troubles

    def setTroubles(self, troubles: tuple[Trouble, ...]) -> None:
        """Show troubles; what was ticked before stays ticked."""
        ticked = self.chosen()
        seen = {trouble.key for trouble in self._troubles}
        self._clear()
        self._troubles = troubles
        for trouble in troubles:
            sentence = QLabel(trouble.sentence, self)
            sentence.setWordWrap(True)
            self._layout.addWidget(sentence)
            if trouble.repair is not None:
                box = QCheckBox(trouble.repair.value, self)
                is_new = trouble.key not in seen
                box.setChecked(trouble.is_advised if is_new else trouble.key in ticked)
                self.boxes[trouble.key] = box
                self._layout.addWidget(box)
        if any(trouble.repair is not None for trouble in troubles):
            hint = QLabel("Your layers stay as they are. Then click Train again.", self)
            hint.setWordWrap(True)
            self._layout.addWidget(hint)
        self.setVisible(bool(troubles))

    def chosen(self) -> frozenset[Choice]:
        """Return the troubles whose repair is ticked."""
        return frozenset(key for key, box in self.boxes.items() if box.isChecked())

    def _clear(self) -> None:
        self.boxes.clear()
        while (item := self._layout.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
