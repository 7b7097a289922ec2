"""A part of a widget that can be folded away."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QSizePolicy, QToolButton, QVBoxLayout, QWidget


class Folded(QWidget):
    """Shows its content under a title, or the title alone.

    superqt's QCollapsible keeps room for what it hides, and squeezes what grows.

    Parameters
    ----------
    title
        What is inside; click it to fold and unfold.
    content
        Is shown and hidden.
    """

    def __init__(self, title: str, content: QWidget, *, is_open: bool = False) -> None:
        super().__init__()
        self._content = content
        self.button = QToolButton(self)
        self.button.setText(title)
        self.button.setCheckable(True)
        self.button.setChecked(is_open)
        self.button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.button.setSizePolicy(
            QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.button)
        layout.addWidget(content)
        self.button.toggled.connect(self.setOpen)
        self.setOpen(is_open)

    def setOpen(self, is_open: bool) -> None:
        """Show the content, or fold it away."""
        self.button.setChecked(is_open)
        down, right = Qt.ArrowType.DownArrow, Qt.ArrowType.RightArrow
        self.button.setArrowType(down if is_open else right)
        self._content.setVisible(is_open)
