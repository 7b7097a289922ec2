"""The list of models: bundled, trained by the user, or a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QWidget

if TYPE_CHECKING:
    from napari_pffnet.config import CheckpointInfo


class ModelChoice(QWidget):
    """Chooses a model; a checkpoint may be browsed or dropped on it.

    Parameters
    ----------
    none_title
        Title of a first entry that stands for no model, e.g. "from scratch"; its
        value is "".
    """

    valueChanged = Signal(str)

    def __init__(self, *, none_title: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)

    def value(self) -> str:
        """Return the name of a known model, the path of a file, or ""."""
        return ""

    def setValue(self, model: str) -> None:
        """Choose a model by its name or its path; one that is gone changes nothing."""

    def info(self) -> CheckpointInfo | None:
        """Return what the chosen model says of itself; None for no model."""
        return None

    def refresh(self) -> None:
        """Read the list again, e.g. after a training; the choice stays."""
