"""The Link widget: objects of a stack or a film get one number in all planes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.layers import Labels
from napari.utils.notifications import show_info
from qtpy.QtWidgets import QComboBox, QFormLayout, QLabel, QVBoxLayout, QWidget

from napari_pffnet._qt.background import Background
from napari_pffnet._qt.buttons import big_button
from napari_pffnet._qt.config_form import ConfigForm
from napari_pffnet._qt.layer_choice import LayerChoice
from napari_pffnet._qt.layers import METADATA_KEY, features_from_table
from napari_pffnet._qt.link_plan import linkable_axes, make_plan
from napari_pffnet._qt.placement import Placement
from napari_pffnet._qt.settings import read_choices, write_choices
from napari_pffnet._qt.viewer import own_viewer
from napari_pffnet.config import LinkConfig

if TYPE_CHECKING:
    from napari import Viewer

    from napari_pffnet._qt.link_plan import LinkPlan
    from napari_pffnet.linking import Linked

_NAME = "link"
_AXES = {"z": "slices of a stack (z)", "t": "frames of a film (t)"}


class LinkWidget(QWidget):
    """Links the objects of a Labels layer from plane to plane, into a new layer.

    Parameters
    ----------
    napari_viewer
        Where the layers are.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        self._viewer = own_viewer(napari_viewer)
        self._work: Background | None = None
        self._plan: LinkPlan | None = None
        self._build()
        self.layer.valueChanged.connect(self._on_layer_changed)
        self.link_button.clicked.connect(self._on_link_clicked)
        self._on_layer_changed()

    def _build(self) -> None:
        self.layer = LayerChoice(
            self._viewer, (Labels,), follow_selection=True, parent=self
        )
        self.axis = QComboBox(self)
        self.axis.setToolTip("What the objects go on through.")
        self.options = ConfigForm(
            read_choices(_NAME, LinkConfig),
            fields=("min_overlap", "gap"),
            labels={"min_overlap": "Overlap at least", "gap": "Planes to bridge"},
            parent=self,
        )
        self.link_button = big_button("Link", self)
        self.status = QLabel(self)
        self.status.setWordWrap(True)
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("Objects", self.layer)
        form.addRow("Link across", self.axis)
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        for part in (self.options, self.link_button, self.status):
            layout.addWidget(part)
        layout.addStretch()

    def _on_layer_changed(self) -> None:
        self.axis.clear()
        for name in linkable_axes(self.layer.value()):
            self.axis.addItem(_AXES[name], name)

    def _on_link_clicked(self) -> None:
        config = self.options.value()
        try:
            plan = make_plan(self.layer.value(), self.axis.currentData() or "", config)
        except ValueError as error:
            show_info(str(error))
            return
        write_choices(_NAME, config)
        self._plan, self._work = plan, Background(plan.link)
        self._work.returned.connect(self._on_linked)
        self._work.raised.connect(self._on_failed)
        self._work.start()
        self.link_button.setEnabled(False)
        self.status.setText("Linking…")

    def _on_linked(self, linked: Linked) -> None:
        plan = self._plan
        self._end()
        if plan is None:
            return
        new = show_linked(self._viewer, plan, linked)
        # A new layer is selected: another try begins with the old one.
        self.layer.setValue(plan.layer)
        self.status.setText(
            f"{len(linked.table):,} objects from {len(linked.parts):,} outlines, in "
            f"the new layer “{new.name}”."
        )

    def _on_failed(self, error: Exception) -> None:
        self._end()
        show_info(str(error))

    def _end(self) -> None:
        self._plan = self._work = None
        self.link_button.setEnabled(True)
        self.status.clear()


def show_linked(viewer: Viewer, plan: LinkPlan, linked: Linked) -> Labels:
    """Show what was linked in a new layer, which lies where the old one does."""
    layer = plan.layer
    known = layer.metadata.get(METADATA_KEY, {})
    how = {"axis": plan.axis.upper(), **plan.config.model_dump()}
    return viewer.add_labels(
        linked.labels,
        name=f"{layer.name} linked",
        features=features_from_table(linked.table),
        metadata={METADATA_KEY: {**known, "linked": how, "parts": linked.parts}},
        # Q: one of length 1 that stands for the channels.
        **Placement.on(layer, "QTZYX"[-layer.ndim :]).options,
    )
