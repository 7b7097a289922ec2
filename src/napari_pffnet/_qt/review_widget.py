"""The Review widget: objects from the worst on, a key for each verdict."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from napari.layers import Image, Labels
from pydantic import BaseModel, ConfigDict
from qtpy.QtCore import QEvent
from qtpy.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_pffnet._qt.buttons import big_button
from napari_pffnet._qt.folded import Folded
from napari_pffnet._qt.layer_choice import LayerChoice
from napari_pffnet._qt.layers import is_class_map
from napari_pffnet._qt.pairing import fits, named_image
from napari_pffnet._qt.results import find_result
from napari_pffnet._qt.review_layer import ReviewLayer
from napari_pffnet._qt.review_misses import MissesPanel
from napari_pffnet._qt.review_object import ACTIONS, ObjectPanel
from napari_pffnet._qt.review_order import OrderPanel
from napari_pffnet._qt.review_run import ReviewRun
from napari_pffnet._qt.review_training import TrainingPanel
from napari_pffnet._qt.review_trust import TrustPanel
from napari_pffnet._qt.reviews import earlier_review, open_review
from napari_pffnet._qt.scrolled_column import ScrolledColumn
from napari_pffnet._qt.settings import read_choices, write_choices
from napari_pffnet._qt.viewer import own_viewer

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari import Viewer
    from napari.utils.events import Event


_NAME = "review"
_BEGIN, _END = "Review", "Stop reviewing"


class ReviewChoices(BaseModel):
    """What is kept between sessions."""

    model_config = ConfigDict(extra="ignore")

    column: str | None = None
    descending: bool = False
    unreviewed: bool = True
    zoom: bool = True
    outlines: bool = False


class ReviewWidget(QWidget):
    """Leads through the objects of a Labels layer.

    Parameters
    ----------
    napari_viewer
        Where the layers are.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        self._viewer = own_viewer(napari_viewer)
        self._run: ReviewRun | None = None
        self._build()
        self._show_choices(read_choices(_NAME, ReviewChoices))
        self._connect()
        self._on_layer_chosen()
        self._set_run(None)

    # ----------------------------------------------------------------- layout

    def _build(self) -> None:
        self.layer = LayerChoice(
            self._viewer,
            (Labels,),
            follow_selection=True,
            leave_out=is_class_map,
            parent=self,
        )
        self.image = LayerChoice(
            self._viewer, (Image,), none_title="not open", parent=self
        )
        self.review_button = big_button(_BEGIN, self)
        self.status = QLabel(self)
        self.status.setWordWrap(True)
        self.status.setMinimumHeight(2 * self.status.fontMetrics().lineSpacing() + 4)
        self.objects = ObjectPanel(self)
        self.order = OrderPanel(self)
        self.zoom = QCheckBox("zoom to each object", self)
        self.outlines = QCheckBox("outlines instead of colours", self)
        self.restore_button = QPushButton("Restore defaults", self)
        self.misses = MissesPanel(self._viewer, self)
        self.training = TrainingPanel(self._viewer, self)
        self.trust = TrustPanel(self._viewer, self)
        self._lay_out()

    def _lay_out(self) -> None:
        inside = QWidget(self)
        form = QFormLayout()
        form.addRow("Objects", self.layer)
        form.addRow("Image", self.image)
        order = QWidget(self)
        column = QVBoxLayout(order)
        column.setContentsMargins(0, 0, 0, 0)
        for widget in (self.order, self.zoom, self.outlines, self.restore_button):
            column.addWidget(widget)
        self.folded = [
            Folded("Order and filters", order, is_open=True),
            Folded("Missed objects", self.misses),
            Folded("What training may learn from", self.training),
            Folded("How good are the objects?", self.trust),
        ]
        layout = QVBoxLayout(inside)
        layout.addLayout(form)
        for part in (self.review_button, self.status, self.objects, *self.folded):
            layout.addWidget(part)
        layout.addStretch()
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(ScrolledColumn(inside, self))

    def _connect(self) -> None:
        self.review_button.clicked.connect(self._on_review_clicked)
        self.layer.valueChanged.connect(self._on_layer_chosen)
        self.image.valueChanged.connect(self._say_what_is_there)
        self.objects.triggered.connect(self._on_triggered)
        self.order.valueChanged.connect(self._on_order_changed)
        for look in (self.zoom, self.outlines):
            look.toggled.connect(self._on_look_changed)
        self.restore_button.clicked.connect(self.restore_defaults)
        self.trust.limitChanged.connect(self.order.setQualityBelow)
        self._viewer.layers.events.removed.connect(self._on_layer_removed)

    # ---------------------------------------------------------------- choices

    def restore_defaults(self) -> None:
        """Choose order, filters and zoom as they were before they were touched."""
        self._show_choices(ReviewChoices())
        self._on_order_changed()

    def _show_choices(self, choices: ReviewChoices) -> None:
        self._column = choices.column
        self.order.direction.setChecked(choices.descending)
        self.order.unreviewed.setChecked(choices.unreviewed)
        self.zoom.setChecked(choices.zoom)
        self.outlines.setChecked(choices.outlines)
        if self._run is not None:
            self.order.setTable(self._run.session.table, choices.column)

    def _write_choices(self) -> None:
        choices = ReviewChoices(
            column=self._column,
            descending=not self.order.is_ascending(),
            unreviewed=self.order.unreviewed.isChecked(),
            zoom=self.zoom.isChecked(),
            outlines=self.outlines.isChecked(),
        )
        write_choices(_NAME, choices)

    def _on_layer_chosen(self) -> None:
        self._guess_image()
        self._say_what_is_there()

    def _guess_image(self) -> None:
        layer = self.layer.value()
        result = find_result(layer)
        guess = _image_of(self._viewer, layer) if result is None else result.image
        if guess is not None:
            self.image.setValue(guess)

    def _say_what_is_there(self) -> None:
        if self._run is not None:
            return
        has_layer = self.layer.value() is not None
        self.review_button.setEnabled(has_layer or self.image.value() is not None)
        self.status.setText(
            "Click Review to look at the objects, the least certain first."
            if has_layer
            else "Choose a layer with objects; or open the image of an earlier "
            "review, and click Review to go on with it."
        )

    # --------------------------------------------------------------- the review

    def _on_review_clicked(self) -> None:
        if self._run is not None:
            self._end("The review is kept; click Review to go on with it.")
            return
        try:
            self._begin()
        except (ValueError, OSError) as error:
            self.status.setText(str(error))

    def _begin(self) -> None:
        if self.image.value() is None:
            # It may have been opened after its objects.
            self._guess_image()
        image, layer = self.image.value(), self.layer.value()
        if layer is None:
            layer = earlier_review(self._viewer, image)
        review = open_review(layer, image)
        bound = ReviewLayer(layer, review.session, review.folder)
        run = ReviewRun(self._viewer, bound)
        run.moved.connect(self._show_run)
        run.said.connect(self.status.setText)
        run.toolChanged.connect(self.objects.setTool)
        bound.changed.connect(self._on_changed)
        bound.ended.connect(self._on_ended)
        bound.bind_keys(
            {
                key: partial(self._on_triggered, action.name)
                for action in ACTIONS
                for key in action.keys
            }
        )
        # Also when the window is closed, the layer gets its keys back.
        self.destroyed.connect(run.close)
        self.order.setTable(review.session.table, self._column)
        self._set_run(run)
        self._on_order_changed()
        self._on_look_changed()
        run.go_first()
        if review.was_found:
            self.status.setText(f"Your earlier review goes on: {run.session.progress}.")

    def _set_run(self, run: ReviewRun | None) -> None:
        self._run = run
        for panel in (self.misses, self.training, self.trust):
            panel.setRun(run)
        for part in (self.objects, *self.folded):
            part.setVisible(run is not None)
        for choice in (self.layer, self.image):
            choice.setEnabled(run is None)
        self.review_button.setText(_BEGIN if run is None else _END)

    def _end(self, sentence: str) -> None:
        run = self._run
        self._set_run(None)
        if run is not None:
            self.destroyed.disconnect(run.close)
            run.close()
        self.status.setText(sentence)

    def changeEvent(self, event: QEvent) -> None:
        """End the review when the dock is closed."""
        super().changeEvent(event)
        # napari takes the widget out of its dock then; one that is hidden, moved or
        # made a window of its own keeps it.
        is_moved = event.type() == QEvent.Type.ParentChange
        if is_moved and self.parent() is None and self._run is not None:
            self._end("The widget was closed. The review is kept.")

    def _on_ended(self) -> None:
        self._end(
            "The layer got other objects, so its review has ended. All steps are "
            "kept; click Review to begin with the new objects."
        )

    def _on_layer_removed(self, event: Event) -> None:
        if self._run is not None and event.value is self._run.bound.layer:
            self._end("The layer was removed. Its review is kept.")

    def _on_triggered(self, name: str) -> None:
        run = self._run
        if run is None:
            return
        actions: dict[str, Callable[[], None]] = {
            "back": run.go_back,
            "next": run.go_next,
            "accept": run.accept,
            "reject": run.reject,
            "fix": run.fix,
            "add": run.add,
            "undo": run.undo,
            "redo": run.redo,
            "merge": partial(run.take_tool, "merge"),
            "split": partial(run.take_tool, "split"),
            "delete": partial(run.take_tool, "delete"),
        }
        needs_object = ("accept", "reject", "fix", "merge")
        if name in needs_object and not self.objects.buttons[name].isEnabled():
            self.status.setText(
                "Choose an object that has pixels: go on with Next (N)."
            )
        else:
            actions[name]()

    def _on_order_changed(self) -> None:
        if self._run is not None:
            self._column = self.order.order()
            ascending = self.order.is_ascending()
            self._run.set_order(self._column, ascending=ascending)
            self._run.set_filters(self.order.filters())
            if self.sender() is self.order:
                self._run.go_first()
        self._write_choices()

    def _on_look_changed(self) -> None:
        if self._run is not None:
            self._run.is_zooming = self.zoom.isChecked()
            self._run.show_outlines(self.outlines.isChecked())
        self._write_choices()

    def _show_run(self) -> None:
        """Show where the review is."""
        run = self._run
        if run is None:
            return
        session = run.session
        has_object = 0 < run.current <= len(session.table)
        row = session.table.iloc[run.current - 1] if has_object else None
        self.objects.setProgress(session.progress)
        self.objects.setObject(row)
        self.objects.setSteps(can_undo=session.can_undo, can_redo=session.can_redo)
        self.training.refresh()

    def _on_changed(self) -> None:
        self.trust.refresh()
        self._show_run()


def _image_of(viewer: Viewer, layer: Labels | None) -> Image | None:
    """Guess the image that objects lie in: by the name, else the only one that fits."""
    if layer is None:
        return None
    fitting = [
        other
        for other in viewer.layers
        if isinstance(other, Image) and fits(other, layer)
    ]
    only = fitting[0] if len(fitting) == 1 else None
    return named_image(reversed(fitting), layer) or only
