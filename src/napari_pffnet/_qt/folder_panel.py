"""Editor of what is to be done with a folder of images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QToolButton,
    QVBoxLayout,
    QWidget,
)
from superqt.utils import signals_blocked

from napari_pffnet._qt.config_form import ConfigForm
from napari_pffnet._qt.folded import Folded
from napari_pffnet._qt.folder_plan import FolderChoices
from napari_pffnet._qt.rows import form_of
from napari_pffnet.config import OutputConfig, SegmentConfig

if TYPE_CHECKING:
    from napari_pffnet.config.output import Format

_FORMATS: dict[Format, tuple[str, str]] = {
    "tiff": ("Labels", "NAME_labels.tif: one number an object; and the classes"),
    "csv": ("Table", "NAME_objects.csv: one row an object"),
    "zarr": ("OME-Zarr", "NAME_labels.zarr: labels with a pyramid, for large images"),
    "geojson": ("QuPath", "NAME_objects.geojson: outlines for QuPath"),
    "rois": ("ImageJ", "NAME_rois.zip: outlines for ImageJ"),
    "coco": ("COCO", "NAME_coco.json: masks for programs; not for stacks"),
}
_PICTURE = (
    "Picture",
    "NAME_overlay.png: the outlines, red where quality is poor; left out of stacks",
)
_COLUMNS = 3


class PathEdit(QWidget):
    """Edits the path of a folder."""

    valueChanged = Signal()

    def __init__(self, title: str, hint: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._title = title
        self.line = QLineEdit(self)
        self.line.setPlaceholderText(hint)
        self.line.setClearButtonEnabled(True)
        self.line.textChanged.connect(self.valueChanged)
        self.browse_button = QToolButton(self)
        self.browse_button.setText("…")
        self.browse_button.setToolTip(f"{title}.")
        self.browse_button.clicked.connect(self._on_browse_clicked)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.line, stretch=1)
        layout.addWidget(self.browse_button)

    def value(self) -> str:
        """Return the path as it was typed."""
        return self.line.text().strip()

    def setValue(self, path: str) -> None:
        """Show another path."""
        if path != self.value():
            self.line.setText(path)

    def _on_browse_clicked(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, self._title, self.value())
        if folder:
            self.setValue(folder)


class FolderPanel(QWidget):
    """Editor of `FolderChoices`."""

    valueChanged = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._build_fields()
        self._lay_out()
        self._connect()
        self.setValue(FolderChoices())

    def value(self) -> FolderChoices:
        """Return what is shown."""
        resume = self.existing.currentData() == "resume"
        return FolderChoices(
            images=self.images.value(),
            results=self.results.value(),
            output=OutputConfig(
                formats=tuple(n for n, box in self.formats.items() if box.isChecked()),
                overlay=self.picture.isChecked(),
                link=self.link.currentData(),
                resume=resume,
                overwrite=not resume,
            ),
            channel=self.channel.text().strip(),
            axes=self.axes.text().strip(),
            score=self.score.value().score_threshold,
        )

    def setValue(self, value: FolderChoices) -> None:
        """Show other choices; emits `valueChanged` once where something changed."""
        changed = value != self.value()
        with signals_blocked(self):
            self.images.setValue(value.images)
            self.results.setValue(value.results)
            for name, box in self.formats.items():
                box.setChecked(name in value.output.formats)
            self.picture.setChecked(value.output.overlay)
            chosen = "resume" if value.output.resume else "overwrite"
            self.existing.setCurrentIndex(self.existing.findData(chosen))
            self.link.setCurrentIndex(self.link.findData(value.output.link))
            self.channel.setText(value.channel)
            self.axes.setText(value.axes)
            self.score.setValue(SegmentConfig(score_threshold=value.score))
        if changed:
            self.valueChanged.emit()

    # ----------------------------------------------------------------- layout

    def _build_fields(self) -> None:
        self.images = PathEdit("Folder of images", "a folder of images", self)
        self.images.setToolTip(
            "A folder, a pattern such as folder/*_dapi.tif, or a text file (.txt) "
            "with the path of an image a line."
        )
        self.results = PathEdit(
            "Folder for the results", "“results” beside the images", self
        )
        self.results.setToolTip("Where the results go; it is made if need be.")
        self.formats = {
            name: self._box(title, help_text)
            for name, (title, help_text) in _FORMATS.items()
        }
        self.picture = self._box(*_PICTURE)
        self.existing = QComboBox(self)
        self.existing.addItem("skip what is done", "resume")
        self.existing.addItem("replace", "overwrite")
        self.existing.setToolTip(
            "Skip: images whose results are complete and came from the same image, "
            "model and options; a run that was cancelled goes on so. Replace: all "
            "files of these names."
        )
        self.channel = self._line(
            "automatic", "Of images with channels: its number from 0, or its name."
        )
        self.axes = self._line(
            "as the files say", "A letter for each axis, such as ZYX or CYX."
        )
        self.link = QComboBox(self)
        self.link.addItem("a number for each outline", None)
        self.link.addItem("link slices of stacks (z)", "z")
        self.link.addItem("link frames of films (t)", "t")
        self.link.setToolTip(
            "Linked: outlines that overlap in neighbouring planes get one number."
        )
        self.score = ConfigForm(
            SegmentConfig(),
            fields=("score_threshold",),
            labels={"score_threshold": "Score at least"},
        )

    def _lay_out(self) -> None:
        kinds = QWidget(self)
        grid = QGridLayout(kinds)
        grid.setContentsMargins(0, 0, 0, 0)
        for number, box in enumerate((*self.formats.values(), self.picture)):
            grid.addWidget(box, *divmod(number, _COLUMNS))
        self.rows = form_of(
            {
                "Images": self.images,
                "Results": self.results,
                "Write": kinds,
                "Existing": self.existing,
            }
        )
        unusual = QWidget(self)
        inside = QVBoxLayout(unusual)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.addLayout(
            form_of({"Channel": self.channel, "Axes": self.axes, "Stacks": self.link})
        )
        inside.addWidget(self.score)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(self.rows)
        layout.addWidget(Folded("Channels, axes, stacks, score", unusual))

    def _connect(self) -> None:
        for part in (self.images, self.results, self.score):
            part.valueChanged.connect(self.valueChanged)
        for line in (self.channel, self.axes):
            line.textChanged.connect(self.valueChanged)
        for box in (*self.formats.values(), self.picture):
            box.toggled.connect(self.valueChanged)
        for choice in (self.existing, self.link):
            choice.currentIndexChanged.connect(self.valueChanged)

    def _box(self, title: str, help_text: str) -> QCheckBox:
        box = QCheckBox(title, self)
        box.setToolTip(help_text)
        return box

    def _line(self, hint: str, help_text: str) -> QLineEdit:
        line = QLineEdit(self)
        line.setPlaceholderText(hint)
        line.setToolTip(help_text)
        return line
