"""A small plot that stands still: nothing to drag, no menu."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyqtgraph as pg

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget

_HEIGHT = 160
_TEXT = "#c8ccd4"


class StillPlot(pg.PlotWidget):  # type: ignore[misc]  # pyqtgraph has no types
    """A plot with two titles, in the colours of napari's dark theme.

    Parameters
    ----------
    bottom, left
        Titles of the axes.
    """

    def __init__(self, bottom: str, left: str, parent: QWidget | None = None) -> None:
        super().__init__(parent, background=None, enableMenu=False)
        # Without an owner pyqtgraph's menus outlive their plot.
        menu = self.plotItem.ctrlMenu
        menu.setParent(self, menu.windowFlags())
        self.setFixedHeight(_HEIGHT)
        self.setMouseEnabled(x=False, y=False)
        self.hideButtons()
        # The lower title would lose its last pixels.
        self.plotItem.layout.setContentsMargins(1, 1, 1, 6)
        for side, title in (("bottom", bottom), ("left", left)):
            self.setLabel(side, title, color=_TEXT)
            self.getAxis(side).setPen(_TEXT)
            self.getAxis(side).setTextPen(_TEXT)
