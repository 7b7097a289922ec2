"""The list of models: bundled, trained by the user, or a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QPushButton,
    QVBoxLayout,
    QWidget,
)
from superqt.utils import signals_blocked

from napari_pffnet._qt.note import Note
from napari_pffnet.catalog import SUFFIX, find_model, list_models, read_info

if TYPE_CHECKING:
    from qtpy.QtGui import QDragEnterEvent, QDropEvent

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
        self._none_title = none_title
        self._files: list[str] = []
        self.setAcceptDrops(True)
        self._build()
        self.refresh()
        self.list.currentIndexChanged.connect(self._on_index_changed)

    def value(self) -> str:
        """Return the name of a known model, the path of a file, or ""."""
        return self.list.currentData() or ""

    def setValue(self, model: str) -> None:
        """Choose a model by its name or its path; one that is gone changes nothing."""
        index = self.list.findData(model)
        if index < 0 and model.endswith(SUFFIX) and Path(model).is_file():
            self._files.append(model)
            self.refresh()
            index = self.list.findData(model)
        if index >= 0:
            self.list.setCurrentIndex(index)

    def info(self) -> CheckpointInfo | None:
        """Return what the chosen model says of itself; None for no model.

        Raises
        ------
        ValueError, FileNotFoundError
            If the file is damaged, of another kind, or gone.
        """
        return read_info(find_model(self.value())) if self.value() else None

    def refresh(self) -> None:
        """Read the list again, e.g. after a training; the choice stays."""
        chosen = self.value()
        titles = {"": self._none_title} if self._none_title else {}
        titles |= {entry.name: entry.name for entry in list_models()}
        titles |= {path: Path(path).name for path in self._files}
        with signals_blocked(self.list):
            self.list.clear()
            for value, title in titles.items():
                self.list.addItem(title, value)
            self.list.setCurrentIndex(max(self.list.findData(chosen), 0))
        if self.value() != chosen:
            self._on_index_changed()

    # ---------------------------------------------------------------- private

    def _build(self) -> None:
        self.list = QComboBox(self)
        self.list.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.list.setMinimumContentsLength(8)
        browse = QPushButton("Open…", self)
        browse.setToolTip(f"Use a model from a file ({SUFFIX}); or drop it here.")
        browse.clicked.connect(self._on_browse_clicked)
        self.about_button = QPushButton("About", self)
        self.about_button.setCheckable(True)
        self.about_button.setToolTip("Show what this model finds.")
        self.about = Note(self)
        self.about.hide()
        self.about_button.toggled.connect(self.about.setVisible)
        row = QHBoxLayout()
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.list, stretch=1)
        row.addWidget(browse)
        row.addWidget(self.about_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(row)
        layout.addWidget(self.about)

    def _on_index_changed(self) -> None:
        try:
            info = self.info()
            text = describe_model(info) if info is not None else self._none_title
        except (ValueError, OSError) as error:
            text = str(error)
        self.about.setText(text)
        self.list.setToolTip(text)
        self.valueChanged.emit(self.value())

    def _on_browse_clicked(self) -> None:
        path, _ = QFileDialog.getOpenFileName(
            self, "Open a model", "", f"Models (*{SUFFIX})"
        )
        if path:
            self.setValue(path)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take files of models."""
        if _dropped_model(event):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Choose the file that was dropped."""
        self.setValue(_dropped_model(event))
        event.acceptProposedAction()


def describe_model(info: CheckpointInfo) -> str:
    """Return what a model is for, in a few lines for a person."""
    low, high = info.diameter_range
    lines = [
        f"Finds: {', '.join(info.model.classes)}",
        f"Size: {low:.0f} to {high:.0f} pixels, mostly {info.diameter:.0f}",
    ]
    images, objects = info.training.get("images"), info.training.get("objects")
    if images and objects:
        lines.append(f"From {images} images, {objects:,} objects")
    for name, scores in (info.training.get("best_scores") or {}).items():
        if isinstance(scores, dict) and "aji" in scores:
            lines.append(f"AJI on {name}: {scores['aji']:.2f} of 1")
    lines.append(f"Licence: {info.licence}")
    return "\n".join(lines)


def _dropped_model(event: QDropEvent) -> str:
    """Return the path of the first model among dropped files, or ""."""
    urls = event.mimeData().urls()
    paths = (url.toLocalFile() for url in urls)
    return next((path for path in paths if path.endswith(SUFFIX)), "")
