"""A part of a form that is folded away until it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtGui import QIcon
from superqt import QCollapsible

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget


class Folded(QCollapsible):
    """A title that unfolds what was added with ``addWidget``."""

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(title, parent, expandedIcon=QIcon(), collapsedIcon=QIcon())
        self._title = title
        # superqt's own arrows are black, also in napari's dark theme.
        self.toggled.connect(self._show_arrow)
        self._show_arrow(False)

    def _show_arrow(self, is_open: bool) -> None:
        self.setText(f"{'▾' if is_open else '▸'} {self._title}")
