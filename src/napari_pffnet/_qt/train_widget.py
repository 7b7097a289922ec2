"""The Train widget: learn from labelled images, and keep the better model."""

from __future__ import annotations

from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import (
    QApplication,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_pffnet._qt.background import Background
from napari_pffnet._qt.buttons import big_button, more_button
from napari_pffnet._qt.check_panel import CheckPanel
from napari_pffnet._qt.jobs import Done, jobs
from napari_pffnet._qt.keep_panel import KeepPanel
from napari_pffnet._qt.model_choice import ModelChoice
from napari_pffnet._qt.scrolled_column import ScrolledColumn
from napari_pffnet._qt.settings import read_choices, write_choices
from napari_pffnet._qt.training_folder import as_command, as_python, save_folder
from napari_pffnet._qt.training_form import TrainingForm
from napari_pffnet._qt.training_plan import (
    TrainChoices,
    draft,
    free_name,
    keep_model,
    left_over,
    move_aside,
)
from napari_pffnet._qt.viewer import own_viewer
from napari_pffnet.messages import Failed

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari import Viewer

    from napari_pffnet._qt.jobs import Job
    from napari_pffnet._qt.training_plan import TrainDraft, TrainPlan
    from napari_pffnet._qt.training_run_view import TrainingRunView
    from napari_pffnet.messages import TrainDone

_NAME = "train"


class TrainWidget(QWidget):
    """Trains a model on layers, shows how it goes, and keeps it under a name.

    Parameters
    ----------
    napari_viewer
        Where the layers are.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        self._viewer = own_viewer(napari_viewer)
        self._job: Job | None = None
        self._plan: TrainPlan | None = None
        self._work: Background | None = None
        self._proceed: Callable[[Any], None] | None = None
        self._undecided: Path | None = None
        self._build()
        self.form.setChoices(read_choices(_NAME, TrainChoices))
        self._connect()
        self._say(left_over())
        self._show_state()

    # ----------------------------------------------------------------- layout

    def _build(self) -> None:
        self.form = TrainingForm(self._viewer, self)
        self.checks = CheckPanel(self)
        self.keep = KeepPanel(self)
        self.status = QLabel(self)
        self.status.setWordWrap(True)
        self.status.hide()
        self.finish_button = QPushButton("Stop and keep the best", self)
        self.finish_button.setToolTip(
            "Score what was learnt so far, and go on with the best of it."
        )
        self.train_button = big_button("Train", self)
        self.more_button = self._build_menu()
        buttons = QHBoxLayout()
        buttons.addWidget(self.train_button, stretch=1)
        buttons.addWidget(self.more_button)
        inside = QWidget(self)
        column = QVBoxLayout(inside)
        for part in (self.form, self.checks, self.keep, self.finish_button):
            column.addWidget(part)
        column.addLayout(buttons)
        column.addWidget(self.status)
        self._run_place = QVBoxLayout()
        column.addLayout(self._run_place, stretch=1)
        column.addStretch()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(ScrolledColumn(inside, self))

    @cached_property
    def run_view(self) -> TrainingRunView:
        """The curves of a run; made for the first one, so that widgets open sooner."""
        from napari_pffnet._qt.training_run_view import TrainingRunView

        view = TrainingRunView(self)
        self._run_place.addWidget(view)
        return view

    def _build_menu(self) -> QPushButton:
        actions: dict[str, Callable[[], object]] = {
            "Copy as command": partial(self.copy_headless, as_command),
            "Copy as Python": partial(self.copy_headless, as_python),
            "Restore defaults": self.restore_defaults,
        }
        return more_button(actions, self)

    def _connect(self) -> None:
        self.train_button.clicked.connect(self._on_train_clicked)
        self.finish_button.clicked.connect(self._on_finish_clicked)
        self.keep.kept.connect(self._on_kept)
        self.keep.discarded.connect(self._on_discarded)
        self.form.valueChanged.connect(self._on_pairs_changed)

    def _say(self, sentence: str) -> None:
        self.status.setText(sentence)
        self.status.setVisible(bool(sentence))

    def _show_state(self) -> None:
        """Show what can be done now, and nothing else."""
        runs, decides = self._job is not None, self._undecided is not None
        self.form.setVisible(not runs and not decides)
        self.checks.setVisible(
            not runs and not decides and bool(self.checks.troubles())
        )
        self.keep.setVisible(decides)
        # It may be kept, or discarded, only once.
        self.keep.setEnabled(self._work is None)
        if runs or decides or self._run_place.count():
            self.run_view.setVisible(runs or decides)
        self.finish_button.setVisible(runs)
        self.train_button.setText("Cancel" if runs else "Train")
        self.train_button.setEnabled(self._work is None and not decides)
        self.train_button.setToolTip(
            "Keep or discard the new model first." if decides else ""
        )
        self.more_button.setEnabled(not runs and not decides and self._work is None)

    # ---------------------------------------------------------------- choices

    def restore_defaults(self) -> None:
        """Choose in all fields what they held before they were touched."""
        self.form.setChoices(TrainChoices())
        write_choices(_NAME, TrainChoices())

    def copy_headless(self, write: Callable[[TrainPlan, Path], str]) -> None:
        """Save the layers as a folder, and copy what trains on it without a window."""

        def proceed(found: TrainDraft) -> None:
            chosen = QFileDialog.getExistingDirectory(
                self, "Save the layers as a training folder in"
            )
            if not chosen:
                return
            folder = Path(chosen)
            self._in_background(
                partial(save_folder, found.plan, folder),
                lambda _: self._copy(write(found.plan, folder)),
            )

        self._check(proceed)

    def _copy(self, text: str) -> None:
        QApplication.clipboard().setText(text)
        self._say("The layers are saved, and the text is copied.")

    # ----------------------------------------------------------- before the start

    def _on_train_clicked(self) -> None:
        if self._job is not None:
            self._job.cancel()
        else:
            self._check(self._start)

    def _check(self, proceed: Callable[[TrainDraft], None]) -> None:
        """Look at the labels in a thread; go on where nothing is to be decided."""
        try:
            sources, choices = self.form.sources(), self.form.choices()
            base = self.form.base()
            if not sources and not choices.folder:
                raise ValueError("Open an image and its labels, or choose a folder.")
        except (ValueError, OSError) as error:
            self._say(str(error))
            return
        self._say("Looking at the labels…")
        work = partial(draft, sources, choices, base, self.checks.chosen())
        self._in_background(work, partial(self._on_checked, proceed))

    def _on_checked(
        self, proceed: Callable[[TrainDraft], None], found: TrainDraft
    ) -> None:
        is_open = found.is_open(self.checks.troubles())
        self.checks.setTroubles(found.troubles)
        if is_open:
            self._say("Please have a look at this first.")
        elif not found.plan.planes and not found.plan.folder:
            self._say("There is nothing left to learn from.")
        else:
            self._say("")
            proceed(found)

    def _on_pairs_changed(self) -> None:
        """Forget what was found in other labels."""
        self.checks.setTroubles(())

    def _in_background(
        self, work: Callable[[], object], proceed: Callable[[Any], None]
    ) -> None:
        """Do work in a thread; meanwhile nothing else can be begun."""
        self._work, self._proceed = Background(work), proceed
        self._work.returned.connect(self._on_work_done)
        self._work.raised.connect(self._on_work_failed)
        self._work.start()
        self._show_state()

    def _on_work_done(self, value: object) -> None:
        proceed, self._work, self._proceed = self._proceed, None, None
        self._show_state()
        if proceed is not None:
            proceed(value)

    def _on_work_failed(self, error: Exception) -> None:
        self._work = None
        self._say(str(error))
        self._show_state()

    # -------------------------------------------------------------------- runs

    def _start(self, found: TrainDraft) -> None:
        plan = found.plan
        try:
            self._job = jobs().start(
                plan.write, title=f"Train {plan.choices.model or 'a model'}", load=_load
            )
        except ValueError as error:
            self._say(str(error))
            return
        self._job.progressed.connect(self.run_view.add)
        self._job.finished.connect(self._on_finished)
        self.destroyed.connect(self._job.cancel)
        self._plan = plan
        self.run_view.begin()
        self._say("")
        self.finish_button.setEnabled(True)
        write_choices(_NAME, plan.choices)
        self._show_state()

    def _on_finish_clicked(self) -> None:
        if self._job is not None:
            self._job.finish_early()
            self.finish_button.setEnabled(False)
            self.run_view.status.setText("Scoring what was learnt…")

    def _on_finished(self, end: object) -> None:
        plan, self._job, self._plan = self._plan, None, None
        self.run_view.end()
        if self.run_view.seconds_per_step:
            self.form.setSecondsPerStep(self.run_view.seconds_per_step)
            write_choices(_NAME, self.form.choices())
        if isinstance(end, Done) and plan is not None:
            self._ask(plan, end.value)
        elif isinstance(end, Failed):
            self._say(end.sentence)
        else:
            self._say("Cancelled.")
        self._show_state()

    # ------------------------------------------------------------- the new model

    def _ask(self, plan: TrainPlan, done: TrainDone) -> None:
        self._undecided = Path(done.path)
        images = [plane.image.name for plane in plan.planes]
        name = free_name(images[0] if images else Path(plan.folder).name)
        self.keep.ask(done, name, self.run_view.before(), self.run_view.best())

    def _on_kept(self, name: str) -> None:
        if self._undecided is None:
            return
        keep = partial(keep_model, self._undecided, name, self.run_view.before())
        self._in_background(keep, partial(self._on_model_kept, name))

    def _on_model_kept(self, name: str, path: object) -> None:
        self._undecided = None
        for choice in QApplication.allWidgets():
            if isinstance(choice, ModelChoice):
                choice.refresh()
        self._say(f"Kept as “{name}”. You find it in Segment.")
        self._show_state()

    def _on_discarded(self) -> None:
        if self._undecided is not None:
            self._undecided.unlink(missing_ok=True)
        self._undecided = None
        self._say("Discarded.")
        self._show_state()


def _load(done: Any, folder: Path) -> TrainDone:
    """Save the new model from the folder, which goes."""
    aside = str(move_aside(Path(done.path)))
    answer: TrainDone = done.model_copy(update={"path": aside})
    return answer
