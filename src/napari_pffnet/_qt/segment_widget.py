"""The Segment widget: choose an image, click, see the objects."""

from __future__ import annotations

from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

from napari.layers import Labels
from qtpy.QtCore import Qt
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import (
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_pffnet._qt import folder_plan
from napari_pffnet._qt.buttons import big_button, more_button
from napari_pffnet._qt.colors import ColorPanel
from napari_pffnet._qt.commands import as_command, as_python
from napari_pffnet._qt.folder_result import FolderResult
from napari_pffnet._qt.jobs import Done, jobs
from napari_pffnet._qt.results import (
    Loaded,
    find_result,
    load_result,
    newest_result,
    show_result,
)
from napari_pffnet._qt.scrolled_column import ScrolledColumn
from napari_pffnet._qt.segment_form import SegmentForm
from napari_pffnet._qt.segment_plan import SegmentChoices
from napari_pffnet._qt.sentences import in_the_window
from napari_pffnet._qt.settings import read_choices, write_choices
from napari_pffnet._qt.threshold_panel import ThresholdPanel
from napari_pffnet._qt.viewer import own_viewer
from napari_pffnet.messages import Failed, Progress

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari import Viewer
    from napari.utils.events import Event

    from napari_pffnet._qt.jobs import Job
    from napari_pffnet._qt.results import Result
    from napari_pffnet._qt.segment_plan import SegmentPlan
    from napari_pffnet.messages import FolderRequest, SegmentRequest

_NAME = "segment"
_LOWEST = 260
"""Pixels of its height: down to the button."""
_CANCELLED_SKIPPING = (
    "Cancelled. What was done is kept; Segment goes on with the other images."
)
_CANCELLED_REPLACING = (
    "Cancelled. What was done is kept. Segment begins with the first image again; to "
    "go on with the others, choose “skip what is done” under “Existing” first."
)
_NOTHING_FOUND = (
    "No object was found. Lower the score, give the diameter of a typical object, or "
    "try another model."
)
_CHANGED = (
    "“{name}” has another shape than at the start; the objects lie where it was. "
    "Segment it again."
)


class SegmentWidget(QWidget):
    """Finds the objects of an image layer.

    Parameters
    ----------
    napari_viewer
        Where the layers are.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        self._viewer = own_viewer(napari_viewer)
        self._job: Job | None = None
        self._plan: SegmentPlan | None = None
        self._started = 0.0
        self._request: FolderRequest | None = None
        self._build()
        self._show_choices(read_choices(_NAME, SegmentChoices))
        self._connect()
        self._follow(self._viewer.layers.selection.active)

    # ----------------------------------------------------------------- layout

    def _build(self) -> None:
        self.form = SegmentForm(self._viewer, self)
        self.segment_button = big_button("Segment", self)
        self.more_button = self._build_menu()
        self.progress = QProgressBar(self)
        self.progress.hide()
        self.status = QLabel(self)
        self.status.setWordWrap(True)
        self.status.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse
        )
        self.result = FolderResult(self._viewer, self)
        self.thresholds = ThresholdPanel(self)
        self.colors = ColorPanel(self)
        self.shown = QGroupBox("Objects shown", self)
        inside = QVBoxLayout(self.shown)
        inside.addWidget(self.thresholds)
        inside.addWidget(self.colors)
        buttons = QHBoxLayout()
        buttons.addWidget(self.segment_button, stretch=1)
        buttons.addWidget(self.more_button)
        content = QWidget(self)
        layout = QVBoxLayout(content)
        layout.addWidget(self.form)
        layout.addLayout(buttons)
        for part in (self.progress, self.status, self.result, self.shown):
            layout.addWidget(part)
        layout.addStretch()
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(ScrolledColumn(content, self, lowest=_LOWEST))

    def _build_menu(self) -> QPushButton:
        actions = {
            "Copy as command": self.copy_as_command,
            "Copy as Python": self.copy_as_python,
            "Restore defaults": self.restore_defaults,
            "Free memory": self.free_memory,
        }
        return more_button(actions, self)

    def _connect(self) -> None:
        self.segment_button.clicked.connect(self._on_segment_clicked)
        self.form.modelChanged.connect(self._on_model_changed)
        self.form.tabChanged.connect(self._on_tab_changed)
        self.result.complained.connect(self.status.setText)
        self.form.complained.connect(self.status.setText)
        self.thresholds.repainted.connect(self.colors.refresh_new)
        self.thresholds.applied.connect(self.colors.refresh)
        layers = self._viewer.layers
        layers.selection.events.active.connect(self._on_active_changed)
        layers.events.removed.connect(self._on_layer_removed)

    # ---------------------------------------------------------------- choices

    def _show_choices(self, choices: SegmentChoices) -> None:
        self.form.setChoices(choices)
        self._on_model_changed()
        self.thresholds.setThresholds(choices.config.score_threshold, choices.quality)

    def _choices(self) -> SegmentChoices:
        chosen = self.form.choices()
        score = self.thresholds.chosen_score()
        config = chosen.config.model_copy(update={"score_threshold": score})
        quality = self.thresholds.chosen_quality()
        return chosen.model_copy(update={"config": config, "quality": quality})

    def _make_plan(self) -> SegmentPlan:
        return self.form.plan(
            self.thresholds.chosen_score(), self.thresholds.chosen_quality()
        )

    def restore_defaults(self) -> None:
        """Choose in all fields what they held before they were touched."""
        self._show_choices(SegmentChoices())
        write_choices(_NAME, SegmentChoices())
        self.thresholds.repaint_result()

    def copy_as_command(self) -> None:
        """Copy the line for a terminal that does what a click on Segment would."""
        self._copy(as_command, folder_plan.as_command)

    def copy_as_python(self) -> None:
        """Copy the Python that does what a click on Segment would."""
        self._copy(as_python, folder_plan.as_python)

    def _copy(
        self,
        of_layer: Callable[[SegmentPlan], str],
        of_folder: Callable[[FolderRequest], str],
    ) -> None:
        try:
            if self.form.isFolder():
                text = of_folder(self.form.request())
            else:
                text = of_layer(self._make_plan())
        except ValueError as error:
            self.status.setText(in_the_window(str(error)))
            return
        QGuiApplication.clipboard().setText(text)
        self.status.setText("Copied.")

    def free_memory(self) -> None:
        """Give back what is kept for the next click."""
        is_free = jobs().free_memory()
        self.status.setText(
            "The memory is free." if is_free else "A job is running; cancel it first."
        )

    def _on_tab_changed(self) -> None:
        # They work on a layer.
        self.shown.setVisible(not self.form.isFolder())

    def _on_model_changed(self) -> None:
        try:
            self.thresholds.setModel(self.form.model.info())
        except (ValueError, OSError) as error:
            self.status.setText(str(error))

    # -------------------------------------------------------------------- runs

    def _on_segment_clicked(self) -> None:
        if self._job is not None:
            self._job.cancel()
            return
        try:
            if self.form.isFolder():
                self._start_folder(self.form.request())
            else:
                self._start(self._make_plan())
        except (ValueError, OSError) as error:
            self.status.setText(in_the_window(str(error)))

    def _start(self, plan: SegmentPlan) -> None:
        job = jobs().start(
            partial(_prepare, plan, self._choices()),
            title=f"Segment {plan.source.name}",
            load=partial(load_result, quality=plan.quality),
        )
        self._plan, self._request = plan, None
        self._watch(job)

    def _start_folder(self, request: FolderRequest) -> None:
        (images,) = request.inputs
        job = jobs().start(
            partial(_prepare_folder, request, self._choices()),
            title=f"Segment {images}",
        )
        self._plan, self._request = None, request
        self._watch(job)

    def _watch(self, job: Job) -> None:
        self._job, self._started = job, monotonic()
        self._job.progressed.connect(self._on_progressed)
        self._job.finished.connect(self._on_finished)
        self.destroyed.connect(self._job.cancel)
        self.segment_button.setText("Cancel")
        self.progress.setRange(0, 0)
        self.progress.show()
        self.result.clear()
        self.status.setText("Getting ready…")

    def _on_progressed(self, step: Progress) -> None:
        # A bar without a range moves until the first piece is done.
        self.progress.setRange(0, step.total if step.done else 0)
        self.progress.setValue(step.done)
        self.status.setText(step.text.capitalize() or "Looking for objects…")

    def _on_finished(self, end: object) -> None:
        plan, self._job, self._plan = self._plan, None, None
        self.segment_button.setText("Segment")
        self.progress.hide()
        if isinstance(end, Done) and plan is not None:
            self._show(plan, end.value)
        elif isinstance(end, Done):
            seconds = monotonic() - self._started
            self.status.setText(self.result.show_end(end.value, seconds))
        elif isinstance(end, Failed):
            of_folder = self._request is not None
            self.status.setText(in_the_window(end.sentence, of_folder=of_folder))
        else:
            self.status.setText(_cancelled(self._request))

    def _show(self, plan: SegmentPlan, loaded: Loaded) -> None:
        is_there = plan.layer in self._viewer.layers
        place = plan.place_now() if is_there else None
        image = plan.layer if place is not None else None
        last = newest_result(self._viewer, image, is_part=plan.region is not None)
        result = show_result(
            self._viewer, image, place or plan.placement, loaded, plan.source.name
        )
        self._follow(result.instances)
        seconds = monotonic() - self._started
        lines = [_count(len(loaded.table), seconds)]
        if is_there and image is None:
            lines.append(_CHANGED.format(name=plan.layer.name))
        if last is not None and last.is_edited and last.instances is not None:
            lines.append(
                f"“{last.instances.name}” was edited and stays as it is; this result "
                "has new layers."
            )
        lines += [in_the_window(note) for note in loaded.notes]
        self.status.setText("\n".join(lines))

    # --------------------------------------------------------- the layer at hand

    def _on_active_changed(self, event: Event) -> None:
        if isinstance(event.value, Labels):
            self._follow(event.value)

    def _on_layer_removed(self, event: Event) -> None:
        if event.value is self.colors.layer():
            self._follow(None)

    def _follow(self, layer: Labels | None) -> None:
        """Let sliders and colours work on a layer that has objects."""
        result: Result | None = find_result(layer)
        self.thresholds.setResult(result)
        has_table = isinstance(layer, Labels) and "score" in layer.features
        self.colors.setLayer(layer if has_table else None)


def _prepare(
    plan: SegmentPlan, choices: SegmentChoices, folder: Path
) -> SegmentRequest:
    """Keep the choices and write the image; the disk may take its time for both."""
    write_choices(_NAME, choices)
    return plan.write(folder)


def _prepare_folder(
    request: FolderRequest, choices: SegmentChoices, folder: Path
) -> FolderRequest:
    write_choices(_NAME, choices)
    return folder_plan.with_model_file(request)


def _cancelled(request: FolderRequest | None) -> str:
    """Say what becomes of a run that was cancelled; of an image, without a request."""
    if request is None:
        return "Cancelled."
    return _CANCELLED_SKIPPING if request.output.resume else _CANCELLED_REPLACING


def _count(number: int, seconds: float) -> str:
    if number == 0:
        return _NOTHING_FOUND
    return f"{number:,} object{'' if number == 1 else 's'} in {seconds:.1f} s."
