"""A column of fields that may be lower than its content, but never narrower."""

from __future__ import annotations

from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QFrame, QScrollArea, QWidget


class ScrolledColumn(QScrollArea):
    """Shows a widget, with a bar where the screen or the dock is too low for it.

    Parameters
    ----------
    content
        What is shown.
    parent
        The dock's widget.
    lowest
        Pixels that stay when other docks take their place.
    """

    def __init__(
        self, content: QWidget, parent: QWidget | None = None, *, lowest: int = 120
    ) -> None:
        super().__init__(parent)
        self._content, self._lowest = content, lowest
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        # With the tabulator key one goes from field to field.
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setWidget(content)

    def minimumSizeHint(self) -> QSize:
        """Keep the fields from being cut off at the side."""
        least = self._content.minimumSizeHint()
        bar = self.verticalScrollBar().sizeHint().width()
        return QSize(least.width() + bar, min(least.height(), self._lowest))

    def sizeHint(self) -> QSize:
        """Ask for all of the content."""
        bar = self.verticalScrollBar().sizeHint().width()
        return self._content.sizeHint() + QSize(bar, 0)
