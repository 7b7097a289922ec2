"""Shows the object that is looked at, and the buttons for what can be done with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QGridLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

if TYPE_CHECKING:
    import pandas as pd

    from napari_pffnet.review import Progress


@dataclass(frozen=True, slots=True)
class Action:
    """A button, with the key that does the same.

    Attributes
    ----------
    name
        Of the button: ``<name>_button``.
    title, tip
        What it says.
    keys
        Of the layer, in napari's words; the first is shown.
    place
        Row, column, and how many of six columns it takes.
    """

    name: str
    title: str
    keys: tuple[str, ...]
    place: tuple[int, int, int]
    tip: str


# Letters that napari's Labels layers leave free; undo and redo take theirs over.
ACTIONS = (
    Action("back", "Previous", ("Shift-N",), (0, 0, 3), "The object before"),
    Action("next", "Next", ("N",), (0, 3, 3), "The next object in order"),
    Action("accept", "Accept", ("A",), (1, 0, 2), "The object is right"),
    Action("reject", "Reject", ("R",), (1, 2, 2), "There is no such object"),
    Action("fix", "Fix", ("T",), (1, 4, 2), "Mend its outline with the brush"),
    Action("add", "Add", ("I",), (2, 0, 3), "Paint an object that was missed"),
    Action("merge", "Merge", ("J",), (2, 3, 3), "Join it with the one you click"),
    Action("split", "Split", ("S",), (3, 0, 3), "Cut an object along a line"),
    Action("delete", "Delete", ("D",), (3, 3, 3), "Take out the object you click"),
    Action("undo", "Undo", ("U", "Control-Z"), (4, 0, 3), "Take back the last step"),
    Action(
        "redo",
        "Redo",
        ("Shift-U", "Control-Shift-Z"),
        (4, 3, 3),
        "Make it again",
    ),
)
_NO_OBJECT = "No object is shown.<br>Go on with Next (N)."
_VERDICTS, _VERDICT_HEIGHT = ("accept", "reject", "fix"), 34
_TOOLS = ("merge", "split", "delete")
_COLORS = {"accepted": "#4cc38a", "rejected": "#ff6b6b", "fixed": "#4aa8ff"}


class ObjectPanel(QWidget):
    """Progress, the object at hand, and the buttons.

    Signals
    -------
    triggered
        A button was clicked; the name of its action.
    """

    triggered = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.progress = QProgressBar(self)
        self.text = QLabel(self)
        self.text.setTextFormat(Qt.TextFormat.RichText)
        self.text.setWordWrap(True)
        self.buttons: dict[str, QPushButton] = {}
        grid = QGridLayout()
        grid.setSpacing(4)
        for action in ACTIONS:
            row, column, width = action.place
            grid.addWidget(self._button(action), row, column, 1, width)
        for column in range(6):
            grid.setColumnStretch(column, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.progress)
        layout.addWidget(self.text)
        layout.addLayout(grid)

    def _button(self, action: Action) -> QPushButton:
        key = action.keys[0].replace("Shift-", "⇧")
        button = QPushButton(f"{action.title}  {key}", self)
        button.setToolTip(f"{action.tip} (key {' or '.join(action.keys)})")
        # The keys stay with the picture after a click.
        button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        button.setCheckable(action.name in _TOOLS)
        if action.name in _VERDICTS:
            button.setMinimumHeight(_VERDICT_HEIGHT)
        button.clicked.connect(lambda: self.triggered.emit(action.name))
        self.buttons[action.name] = button
        return button

    def setProgress(self, progress: Progress) -> None:
        """Show how far the review is."""
        self.progress.setRange(0, max(1, progress.total))
        self.progress.setValue(progress.reviewed)
        self.progress.setFormat(str(progress))

    def setObject(self, row: pd.Series[Any] | None) -> None:
        """Show a row of the table; None: there is no object."""
        self.text.setText(_NO_OBJECT if row is None else _describe(row))
        for name in ("accept", "reject", "fix", "merge"):
            self.buttons[name].setEnabled(row is not None and bool(row["area"] > 0))

    def setSteps(self, *, can_undo: bool, can_redo: bool) -> None:
        """Show whether there are steps to take back or to make again."""
        self.buttons["undo"].setEnabled(can_undo)
        self.buttons["redo"].setEnabled(can_redo)

    def setTool(self, name: str) -> None:
        """Show which tool the mouse holds; "" for none."""
        for tool in _TOOLS:
            self.buttons[tool].setChecked(tool == name)


def _describe(row: pd.Series[Any]) -> str:
    """Say in two lines what is known of an object."""
    verdict = str(row["verdict"])
    color = _COLORS.get(verdict, "#9aa0aa")
    title = f"<b>Object {row['label']}</b> · {row['class']}"
    said = f" · <span style='color:{color}'><b>{verdict or 'not reviewed'}</b></span>"
    known = [
        f"{name} {row[name]:.2f}"
        for name in ("confidence", "quality")
        if not np.isnan(row[name])
    ]
    known.append(f"{row['area']:,} px")
    border = " · at the border" if row["touches_border"] else ""
    return f"{title}{said}{border}<br>{' · '.join(known)}"
