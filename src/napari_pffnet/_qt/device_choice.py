"""The device that the network runs on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QVBoxLayout, QWidget
from superqt.utils import signals_blocked

from napari_pffnet._qt.jobs import Done, jobs
from napari_pffnet._qt.note import Note
from napari_pffnet.messages import Device, Devices

if TYPE_CHECKING:
    from qtpy.QtGui import QShowEvent

    from napari_pffnet._qt.jobs import Job

_AUTO = Device(name="auto", title="automatic")


class DeviceChoice(QWidget):
    """Chooses a device, by what this machine has; says why where there is no GPU.

    The devices are asked for in the child process when the widget is first shown;
    until then there is only "auto" and what was chosen last.
    """

    valueChanged = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._job: Job | None = None
        self._wanted = "auto"
        self.list = QComboBox(self)
        self.list.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.list.addItem(_AUTO.title, _AUTO.name)
        self.list.currentIndexChanged.connect(self._on_index_changed)
        self.note = Note(self)
        self.note.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.list)
        layout.addWidget(self.note)

    def value(self) -> str:
        """Return what `load_model` takes: auto, cpu, cuda:0, mps."""
        return self.list.currentData() or "auto"

    def setValue(self, device: str) -> None:
        """Choose a device; one that this machine lacks becomes auto."""
        # It may be known only later, once the child has told.
        self._wanted = device
        self.list.setCurrentIndex(max(self.list.findData(device), 0))

    def showEvent(self, event: QShowEvent) -> None:
        """Ask for the devices, once."""
        super().showEvent(event)
        if self._job is None:
            self._job = jobs().devices()
            self._job.finished.connect(self._on_devices_known)

    def _on_devices_known(self, end: object) -> None:
        if not isinstance(end, Done) or not isinstance(end.value, Devices):
            return
        first, *_ = end.value.devices
        titles = {"auto": f"automatic: {first.title}"}
        titles |= {device.name: device.title for device in end.value.devices}
        with signals_blocked(self.list):
            self.list.clear()
            for name, title in titles.items():
                self.list.addItem(title, name)
        self.setValue(self._wanted)
        self.list.setToolTip(self.list.currentText())
        self.note.setText(end.value.why_no_gpu)
        self.note.setVisible(bool(end.value.why_no_gpu))

    def _on_index_changed(self) -> None:
        self._wanted = self.value()
        self.list.setToolTip(self.list.currentText())
        self.valueChanged.emit(self.value())
