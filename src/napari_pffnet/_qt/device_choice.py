"""The device that the network runs on."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QWidget


class DeviceChoice(QWidget):
    """Chooses a device, by what this machine has; says why where there is no GPU.

    The devices are asked for in the child process when the widget is first shown;
    until then there is only "auto".
    """

    valueChanged = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)

    def value(self) -> str:
        """Return what `load_model` takes: auto, cpu, cuda:0, mps."""
        return "auto"

    def setValue(self, device: str) -> None:
        """Choose a device; one that this machine lacks becomes auto."""
