"""The upper part of the Segment widget: what is to be segmented, and how."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from napari.layers import Image, Shapes
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QTabBar, QVBoxLayout, QWidget
from superqt.utils import signals_blocked

from napari_pffnet._qt.config_form import ConfigForm
from napari_pffnet._qt.device_choice import DeviceChoice
from napari_pffnet._qt.diameter_edit import DiameterEdit
from napari_pffnet._qt.drawings import (
    measured_diameter,
    selected_region,
    visible_region,
)
from napari_pffnet._qt.folded import Folded
from napari_pffnet._qt.folder_panel import FolderPanel
from napari_pffnet._qt.folder_plan import make_request
from napari_pffnet._qt.layer_choice import LayerChoice
from napari_pffnet._qt.layers import describe_image, possible_axes
from napari_pffnet._qt.model_choice import ModelChoice
from napari_pffnet._qt.placement import Placement
from napari_pffnet._qt.rows import align, form_of
from napari_pffnet._qt.segment_plan import SegmentChoices, SegmentPlan
from napari_pffnet.config import SegmentConfig

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Layer
    from qtpy.QtGui import QShowEvent

    from napari_pffnet._qt.layers import ImageSource
    from napari_pffnet.config import Region
    from napari_pffnet.messages import FolderRequest

_LAYER, _FOLDER = 0, 1
_EXTENTS = {
    "image": "the whole image",
    "view": "only what is visible",
    "shape": "the selected rectangle",
}
_AXES = {"T": "time points", "Z": "planes (z)", "C": "channels"}
_ADVANCED = {"tile": "Tile size", "precision": "Precision", "all_tiles": "All tiles"}


class SegmentForm(QWidget):
    """Chooses image, model, device and options.

    Signals
    -------
    imageChanged, modelChanged
        Another one is chosen.
    tabChanged
        Layers are chosen instead of a folder, or the other way round.
    complained
        A sentence about something that could not be done.
    """

    imageChanged = Signal()
    modelChanged = Signal()
    tabChanged = Signal()
    complained = Signal(str)

    def __init__(self, viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._build_fields(viewer)
        self._lay_out()
        self.tabs.currentChanged.connect(self._on_tab_changed)
        self.image.valueChanged.connect(self._on_image_changed)
        self.axes.currentIndexChanged.connect(self._on_axes_changed)
        self.extent.currentIndexChanged.connect(self._show_rows)
        self.model.valueChanged.connect(self.modelChanged)
        self.diameter.measureRequested.connect(self._on_measure_requested)
        self._on_image_changed()

    # ----------------------------------------------------------------- values

    def choices(self) -> SegmentChoices:
        """Return what is kept for the next session."""
        config = self.advanced.value().model_copy(
            update={"diameter": self.diameter.value()}
        )
        return SegmentChoices(
            model=self.model.value(),
            device=self.device.value(),
            extent=self.extent.currentData(),
            config=config,
            folder=self.folder.value(),
        )

    def setChoices(self, choices: SegmentChoices) -> None:
        """Show what was chosen before."""
        self.model.setValue(choices.model)
        self.device.setValue(choices.device)
        self.extent.setCurrentIndex(self.extent.findData(choices.extent))
        self.diameter.setValue(choices.config.diameter)
        self.advanced.setValue(choices.config)
        self.folder.setValue(choices.folder)

    def isFolder(self) -> bool:
        """Tell whether a folder is to be segmented, not a layer."""
        return self.tabs.currentIndex() == _FOLDER

    def request(self) -> FolderRequest:
        """Return what a click on Segment is to do with a folder.

        Raises
        ------
        ValueError
            If no folder is chosen.
        """
        chosen = self.choices()
        return make_request(
            chosen.folder,
            model=chosen.model,
            device=chosen.device,
            config=chosen.config,
        )

    def plan(self, score: float | None, quality: float) -> SegmentPlan:
        """Return what a click on Segment is to do.

        Raises
        ------
        ValueError
            If there is no image, or nothing in the chosen part of it.
        """
        source = self.source()
        layer, axes = self.layer(), source.axes
        channel = self.channel.currentData() if source.channel_count > 1 else None
        config = self.choices().config.model_copy(
            update={
                "channels": () if channel is None else (channel,),
                "score_threshold": score,
            }
        )
        return SegmentPlan(
            layer=layer,
            source=source,
            placement=Placement.on(layer, axes),
            region=self._region(layer, axes),
            model=self.model.value(),
            device=self.device.value(),
            config=config,
            quality=quality,
        )

    def layer(self) -> Image:
        """Return the chosen image.

        Raises
        ------
        ValueError
            If there is none.
        """
        layer = self.image.value()
        if layer is None:
            raise ValueError("There is no image; open one, or a sample, first.")
        return cast("Image", layer)

    def source(self) -> ImageSource:
        """Return what the chosen image holds.

        Raises
        ------
        ValueError
            If there is none, or its axes are not understood.
        """
        return describe_image(self.layer(), self.axes.currentData())

    def _region(self, layer: Image, axes: str) -> Region | None:
        extent = self.extent.currentData()
        if extent == "view":
            return visible_region(self._viewer, layer, axes)
        if extent == "shape":
            shapes = self.shapes.value()
            if shapes is None:
                raise ValueError(
                    "There is no rectangle; draw one in a Shapes layer, or segment "
                    "the whole image."
                )
            return selected_region(shapes, layer, axes)
        return None

    # ----------------------------------------------------------------- layout

    def _build_fields(self, viewer: Viewer) -> None:
        self.tabs = QTabBar(self)
        self.tabs.setExpanding(True)
        self.tabs.insertTab(_LAYER, "Layer")
        self.tabs.insertTab(_FOLDER, "Folder")
        self.tabs.setTabToolTip(_LAYER, "Segment an image that is open.")
        self.tabs.setTabToolTip(_FOLDER, "Segment many files, and save the results.")
        self.folder = FolderPanel(self)
        self.image = LayerChoice(viewer, (Image,), follow_selection=True, parent=self)
        self.axes = _combo("What the sliders below the image go through.")
        self.channel = _combo("The channel that shows the objects.")
        self.model = ModelChoice(parent=self)
        self.device = DeviceChoice(self)
        self.diameter = DiameterEdit(viewer, self)
        self.extent = _combo("Try a part first: it is quicker.")
        for value, title in _EXTENTS.items():
            self.extent.addItem(title, value)
        self.shapes = LayerChoice(viewer, (Shapes,), follow_selection=True, parent=self)
        self.shapes.setToolTip("The Shapes layer with the rectangle.")
        self.advanced = ConfigForm(
            SegmentConfig(), fields=tuple(_ADVANCED), labels=_ADVANCED
        )

    def _lay_out(self) -> None:
        self._rows = form_of(
            {
                "Image": self.image,
                "Slices are": self.axes,
                "Channel": self.channel,
                "Segment": self.extent,
                "Drawn in": self.shapes,
            }
        )
        self._layer_page = QWidget(self)
        self._layer_page.setLayout(self._rows)
        self._common_rows = form_of(
            {"Model": self.model, "Device": self.device, "Diameter": self.diameter}
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for page in (self.tabs, self._layer_page, self.folder):
            layout.addWidget(page)
        layout.addLayout(self._common_rows)
        layout.addWidget(Folded("Advanced", self.advanced))
        self.folder.hide()

    def showEvent(self, event: QShowEvent) -> None:
        """Line the rows up as the theme draws them."""
        super().showEvent(event)
        align(self._rows, self.folder.rows, self._common_rows)

    # ------------------------------------------------------------------ slots

    def _on_tab_changed(self) -> None:
        self._layer_page.setVisible(not self.isFolder())
        self.folder.setVisible(self.isFolder())
        self.tabChanged.emit()

    def _on_image_changed(self) -> None:
        layer, chosen = self.image.value(), self.axes.currentData()
        known: tuple[str, ...] = ()
        try:
            known = possible_axes(cast("Image", layer)) if layer is not None else ()
        except ValueError as error:
            self.complained.emit(str(error))
        with signals_blocked(self.axes):
            self.axes.clear()
            for axes in known:
                self.axes.addItem(_axes_title(axes), axes)
            # What the user said of the last image holds for the next of its kind.
            self.axes.setCurrentIndex(max(self.axes.findData(chosen), 0))
        self._on_axes_changed()
        self.imageChanged.emit()

    def _on_axes_changed(self) -> None:
        chosen = self.channel.currentData()
        self.channel.clear()
        self.channel.addItem("automatic", None)
        if self.axes.currentData():
            source = self.source()
            names = source.channel_names or [
                f"channel {number}" for number in range(source.channel_count)
            ]
            for number, name in enumerate(names):
                self.channel.addItem(name, number)
        self.channel.setCurrentIndex(max(self.channel.findData(chosen), 0))
        self._show_rows()

    def _show_rows(self) -> None:
        self._rows.setRowVisible(self.axes, self.axes.count() > 1)
        self._rows.setRowVisible(self.channel, self.channel.count() > 2)
        self._rows.setRowVisible(self.shapes, self.extent.currentData() == "shape")

    def _on_measure_requested(self, drawing: Layer) -> None:
        try:
            source = self.source()
            self.diameter.setValue(
                measured_diameter(drawing, self.layer(), source.axes)
            )
        except ValueError as error:
            self.complained.emit(str(error))


def _combo(help_text: str) -> QComboBox:
    combo = QComboBox()
    combo.setToolTip(help_text)
    combo.setSizeAdjustPolicy(
        QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
    )
    combo.setMinimumContentsLength(8)
    return combo


def _axes_title(axes: str) -> str:
    words = [_AXES[letter] for letter in axes if letter in _AXES]
    last = " (last)" if axes.endswith("C") else ""
    return ", ".join(words) + last or "a single image"
