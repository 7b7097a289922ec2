"""The buttons that all widgets have alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QMenu, QPushButton

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from qtpy.QtWidgets import QWidget

_HEIGHT = 44


def big_button(title: str, parent: QWidget) -> QPushButton:
    """Return the one button that nobody can overlook."""
    button = QPushButton(title, parent)
    button.setMinimumHeight(_HEIGHT)
    font = button.font()
    font.setPointSizeF(font.pointSizeF() * 1.3)
    font.setBold(True)
    button.setFont(font)
    return button


def more_button(
    actions: Mapping[str, Callable[[], object]], parent: QWidget
) -> QPushButton:
    """Return a button with a menu of what is needed less often."""
    menu = QMenu(parent)
    for title, action in actions.items():
        # Without the state of the menu's entry, which no action takes.
        menu.addAction(title).triggered.connect(lambda *_, act=action: act())
    button = QPushButton("More", parent)
    button.setMinimumHeight(_HEIGHT)
    button.setMenu(menu)
    return button
