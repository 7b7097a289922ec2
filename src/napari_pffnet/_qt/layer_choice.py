"""A list of the viewer's layers of some kinds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QWidget
from superqt.utils import signals_blocked

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari import Viewer
    from napari.layers import Layer
    from napari.utils.events import Event


class LayerChoice(QComboBox):
    """Chooses one of the viewer's layers; follows what is added, renamed, removed.

    Parameters
    ----------
    viewer
        Whose layers are listed, the topmost first.
    kinds
        Types of the layers to list.
    none_title
        Title of a first entry that stands for no layer; without it, there is a
        choice as soon as there is a layer.
    follow_selection
        Whether a layer that becomes active in the viewer becomes the choice, unless
        the list is disabled: then it shows what is worked on.
    leave_out
        Tells of a layer of these kinds whether it is not listed.
    """

    valueChanged = Signal()

    def __init__(
        self,
        viewer: Viewer,
        kinds: tuple[type[Layer], ...],
        *,
        none_title: str = "",
        follow_selection: bool = False,
        leave_out: Callable[[Any], bool] | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._viewer, self._kinds, self._none_title = viewer, kinds, none_title
        self._leave_out = leave_out
        self._shown: list[Layer | None] = []
        # Long names are cut rather than making the dock wide.
        self.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.setMinimumContentsLength(8)
        self.currentIndexChanged.connect(self._on_index_changed)
        for event in ("inserted", "removed", "reordered"):
            getattr(viewer.layers.events, event).connect(self._on_layers_changed)
        if follow_selection:
            viewer.layers.selection.events.active.connect(self._on_active_changed)
        self._on_layers_changed()
        if follow_selection and viewer.layers.selection.active is not None:
            self.setValue(viewer.layers.selection.active)

    def value(self) -> Layer | None:
        """Return the chosen layer."""
        index = self.currentIndex()
        return self._shown[index] if 0 <= index < len(self._shown) else None

    def setValue(self, layer: Layer | None) -> None:
        """Choose a layer; one that is not listed changes nothing."""
        if layer in self._shown:
            self.setCurrentIndex(self._shown.index(layer))

    def showPopup(self) -> None:
        """Show the list as it is now."""
        self._on_layers_changed()
        super().showPopup()

    def _on_layers_changed(self, event: Event | None = None) -> None:
        chosen = self.value()
        shown = [x for x in reversed(self._viewer.layers) if self._is_listed(x)]
        for layer in shown:
            # Connecting again what is connected does nothing.
            layer.events.name.connect(self._on_name_changed)
        self._shown = [None, *shown] if self._none_title else shown
        with signals_blocked(self):
            self.clear()
            self.addItems([self._title(layer) for layer in self._shown])
            if chosen in self._shown:
                self.setCurrentIndex(self._shown.index(chosen))
        if self.value() is not chosen:
            self._on_index_changed()

    def _on_name_changed(self, event: Event) -> None:
        if event.source in self._shown:
            index = self._shown.index(event.source)
            self.setItemText(index, self._title(event.source))
            self.setToolTip(self.currentText())

    def _on_active_changed(self, event: Event) -> None:
        if event.value is not None and self.isEnabled():
            # What a layer holds may have been told since it was added.
            self._on_layers_changed()
            self.setValue(event.value)

    def _on_index_changed(self) -> None:
        self.setToolTip(self.currentText())
        self.valueChanged.emit()

    def _is_listed(self, layer: Layer) -> bool:
        if not isinstance(layer, self._kinds):
            return False
        return self._leave_out is None or not self._leave_out(layer)

    def _title(self, layer: Layer | None) -> str:
        return self._none_title if layer is None else layer.name
