"""The upper part of the Train widget: what to learn from, and how."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from napari.layers import Labels
from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)
from superqt.utils import signals_blocked

from napari_pffnet._qt.config_form import ConfigForm
from napari_pffnet._qt.device_choice import DeviceChoice
from napari_pffnet._qt.folded import Folded
from napari_pffnet._qt.model_choice import ModelChoice
from napari_pffnet._qt.training_pairs import (
    TrainingPairs,
    class_columns,
    classes_by_label,
)
from napari_pffnet._qt.training_plan import TrainChoices

if TYPE_CHECKING:
    from napari import Viewer
    from qtpy.QtGui import QEnterEvent, QShowEvent

    from napari_pffnet._qt.training_data import PairSource
    from napari_pffnet.config import CheckpointInfo

LENGTHS = {"short": 50, "medium": 100, "long": 400, "very long": 3000}
_OWN = "other"
_ADVANCED = {
    "learning_rate": "Learning rate",
    "batch_size": "Crops at once",
    "crop_size": "Crop size, pixels",
    "rehearsal": "Old images mixed in",
    "patience": "Give up after",
    "validation_images": "Images to score on",
    "validation_size": "Part of each, pixels",
    "workers": "Loading processes",
    "seed": "Random seed",
}


class TrainingForm(QWidget):
    """Chooses pairs, model, length and options.

    Signals
    -------
    valueChanged
        Something is chosen that bears on the labels.
    """

    valueChanged = Signal()

    def __init__(self, viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._seconds_per_step = 0.0
        self._build_fields(viewer)
        self._lay_out()
        self.pairs.valueChanged.connect(self._on_pairs_changed)
        self.length.currentIndexChanged.connect(self._on_length_changed)
        self.steps.valueChanged.connect(self._on_steps_changed)
        for event in (viewer.layers.events.inserted, viewer.layers.events.removed):
            event.connect(self._on_pairs_changed)
        self._on_pairs_changed()
        self._on_steps_changed()

    # ----------------------------------------------------------------- values

    def choices(self) -> TrainChoices:
        """Return what is kept for the next session.

        Raises
        ------
        ValueError
            If an advanced option is not valid.
        """
        return TrainChoices(
            model=self.model.value(),
            device=self.device.value(),
            steps=self.steps.value(),
            folder=self.pairs.folder.text().strip(),
            train=self.advanced.value(),
            seconds_per_step=self._seconds_per_step,
        )

    def setChoices(self, choices: TrainChoices) -> None:
        """Show what was chosen before."""
        self.model.setValue(choices.model)
        self.device.setValue(choices.device)
        self._seconds_per_step = choices.seconds_per_step
        self.steps.setValue(choices.steps)
        self.pairs.folder.setText(choices.folder)
        self.advanced.setValue(choices.train)
        self._on_steps_changed()

    def setSecondsPerStep(self, seconds: float) -> None:
        """Remember how quick this computer is, to tell how long it will take."""
        self._seconds_per_step = seconds
        self._on_steps_changed()

    def base(self) -> CheckpointInfo | None:
        """Return what the model to start from says of itself; None: from scratch."""
        return self.model.info()

    def sources(self) -> list[PairSource]:
        """Return the pairs with the classes to learn.

        Raises
        ------
        ValueError
            If the pairs cannot be used as they are.
        """
        sources = self.pairs.sources()
        chosen = self.classes.currentData()
        if isinstance(chosen, str):
            classes = [classes_by_label(x, chosen) for x in self._paired_labels()]
            return [
                replace(source, classes=by_label)
                for source, by_label in zip(sources, classes, strict=True)
            ]
        if isinstance(chosen, Labels):
            return [replace(source, classes=chosen.data) for source in sources]
        return sources

    def _paired_labels(self) -> list[Labels]:
        rows = self.pairs.rows
        return [layer for row in rows if row.image() and (layer := row.labels())]

    # ----------------------------------------------------------------- layout

    def _build_fields(self, viewer: Viewer) -> None:
        self.pairs = TrainingPairs(viewer, self)
        self.model = ModelChoice(none_title="from scratch", parent=self)
        self.device = DeviceChoice(self)
        self.classes = QComboBox(self)
        self.classes.setToolTip(
            "One kind of object, or several: by a column of words in the table of the "
            "labels, or by a second Labels layer with a number for each kind."
        )
        self.length = QComboBox(self)
        for title in (*LENGTHS, _OWN):
            self.length.addItem(title)
        self.length.setToolTip(
            "Short is enough to correct a model that nearly fits. From scratch, or "
            "for a new kind of object, take long."
        )
        self.steps = QSpinBox(self)
        self.steps.setRange(1, 1_000_000)
        self.steps.setSuffix(" steps")
        self.advanced = ConfigForm(
            TrainChoices().train, fields=tuple(_ADVANCED), labels=_ADVANCED
        )

    def _lay_out(self) -> None:
        duration = QHBoxLayout()
        duration.addWidget(self.length, stretch=1)
        duration.addWidget(self.steps, stretch=1)
        self._rows = QFormLayout()
        self._rows.setFieldGrowthPolicy(
            QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow
        )
        self._rows.addRow("Start from", self.model)
        self._rows.addRow("Learn", self.classes)
        self._rows.addRow("How long", duration)
        self._rows.addRow("Device", self.device)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.pairs)
        layout.addLayout(self._rows)
        layout.addWidget(Folded("Advanced", self.advanced))

    # ------------------------------------------------------------------ slots

    def showEvent(self, event: QShowEvent) -> None:
        """Say how things are now: a tab with a review may have hidden this one."""
        super().showEvent(event)
        self.refresh()

    def enterEvent(self, event: QEnterEvent) -> None:
        """Say how things are now: a review, or a table, may have changed."""
        super().enterEvent(event)
        self.refresh()

    def refresh(self) -> None:
        """Say anew what of the labels counts, and which classes they know."""
        for row in self.pairs.rows:
            row.refresh()
        self._offer_classes()

    def _on_pairs_changed(self) -> None:
        self._offer_classes()
        self.valueChanged.emit()

    def _offer_classes(self) -> None:
        chosen = self.classes.currentData()
        paired = self._paired_labels()
        with signals_blocked(self.classes):
            self.classes.clear()
            self.classes.addItem("one kind of object", None)
            for name in class_columns(paired):
                self.classes.addItem(f"kinds by column “{name}”", name)
            for layer in self._class_layers(paired):
                self.classes.addItem(f"kinds by layer “{layer.name}”", layer)
            self.classes.setCurrentIndex(max(self.classes.findData(chosen), 0))
        self._rows.setRowVisible(self.classes, self.classes.count() > 1)

    def _class_layers(self, paired: list[Labels]) -> list[Labels]:
        """Return the layers that may hold the classes of a single pair."""
        if len(paired) != 1:
            return []
        return [
            layer
            for layer in self._viewer.layers
            if isinstance(layer, Labels)
            and layer is not paired[0]
            and not layer.multiscale
            and layer.data.shape == paired[0].data.shape
        ]

    def _on_length_changed(self) -> None:
        steps = LENGTHS.get(self.length.currentText())
        if steps is not None:
            self.steps.setValue(steps)

    def _on_steps_changed(self) -> None:
        steps = self.steps.value()
        titles = {number: title for title, number in LENGTHS.items()}
        with signals_blocked(self.length):
            self.length.setCurrentText(titles.get(steps, _OWN))
        seconds = self._seconds_per_step * steps
        self.steps.setToolTip(
            f"About {duration_text(seconds)} on this computer." if seconds else ""
        )


def duration_text(seconds: float) -> str:
    """Return a time as a person says it."""
    if seconds < 90:
        return f"{max(round(seconds), 1)} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} hours"
