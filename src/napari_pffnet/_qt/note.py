"""A few sentences in a form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QWidget

if TYPE_CHECKING:
    from qtpy.QtGui import QResizeEvent


class Note(QLabel):
    """A wrapped text that is never cut: forms give wrapped labels too little room."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWordWrap(True)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)

    def setText(self, text: str) -> None:
        """Show another text."""
        super().setText(text)
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Ask for the height that the text takes at this width."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        # The height that is asked for is never below the least one.
        self.setMinimumHeight(0)
        self.setMinimumHeight(self.heightForWidth(self.width()))
