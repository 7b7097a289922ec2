"""Jobs of the widgets: prepared here, run in the child process, loaded here.

Nothing of it holds the GUI thread up: files are written and read in threads, and the
network runs in another process.
"""

from __future__ import annotations

import atexit
from functools import cache
from html import escape
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import (
    ErrorNotification,
    notification_manager,
    show_warning,
)
from qtpy.QtCore import QCoreApplication, QObject, QTimer

from napari_pffnet._qt.activity import Activity
from napari_pffnet._qt.job import Done, Job
from napari_pffnet._qt.kept_child import KeptChild
from napari_pffnet.messages import DescribeDevices, Failed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_pffnet.messages import (
        FolderDone,
        FolderRequest,
        SegmentDone,
        SegmentRequest,
        TrainDone,
        TrainRequest,
    )

__all__ = ["Done", "Job", "Jobs", "jobs", "notify"]


class Jobs(QObject):
    """All jobs of this process, one at a time; take it from `jobs`.

    Parameters
    ----------
    child
        Where they run.
    """

    def __init__(self, child: KeptChild | None = None) -> None:
        super().__init__()
        self._child = child or KeptChild()
        self._count = 0
        self._running: Job | None = None
        self._activity: Activity | None = None
        self._kept: set[Job] = set()

    @property
    def running(self) -> Job | None:
        """The job that runs; asking for devices is none."""
        return self._running

    def start(
        self,
        prepare: Callable[[Path], SegmentRequest | FolderRequest | TrainRequest],
        *,
        title: str,
        load: Callable[[SegmentDone | FolderDone | TrainDone, Path], Any] | None = None,
    ) -> Job:
        """Start a job.

        A job that fails is notified here: a widget shows no error of its own.

        Parameters
        ----------
        prepare
            Called in a thread, so without Qt, with a private folder for arrays
            (see `napari_pffnet._qt.arrays.write_array`); returns the request.
        title
            What the user reads, such as "Segment nuclei.tif".
        load
            Called in a thread with the answer and the folder, which is removed
            afterwards; what it returns becomes `Done.value`.  Without it, that is
            the answer.

        Raises
        ------
        ValueError
            If a job is running; the sentence names it.
        """
        if self._running is not None:
            raise ValueError(
                f'"{self._running.title}" is still running. '
                "Wait until it is done, or cancel it."
            )
        job = self._running = self._new_job(title, load)
        job.finished.connect(self._on_running_finished)
        # Later, as napari lets other events run while it adds a bar.
        QTimer.singleShot(0, self._show_activity)
        job.begin(prepare)
        return job

    def devices(self) -> Job:
        """Ask for the devices of this machine, also while a job runs.

        `Done.value` is `messages.Devices`.  A failure is not notified.
        """
        job = self._new_job("Look for devices")
        job.begin(lambda folder: DescribeDevices())
        return job

    def free_memory(self) -> bool:
        """End the child process unless it works; return whether none is left."""
        if not self._child.is_busy:
            self._child.end()
        return not self._child.is_running

    def close(self) -> None:
        """End all jobs and the child process, as napari closes."""
        for job in tuple(self._kept):
            job.abandon()
        self._child.close()

    def _new_job(
        self, title: str, load: Callable[[Any, Path], Any] | None = None
    ) -> Job:
        self._count += 1
        job = Job(self._count, title, self._child, load)
        self._kept.add(job)
        job.released.connect(self._on_job_released)
        return job

    def _show_activity(self) -> None:
        """Show the running job in napari's activity dock until it is over."""
        job = self._running
        if job is not None:
            activity = self._activity = Activity(job.title, job.cancel)
            job.progressed.connect(activity.show)
            job.finished.connect(activity.close)
            if not job.is_running:  # it has ended in the meantime
                activity.close()

    def _on_running_finished(self, outcome: object) -> None:
        self._running = None
        if isinstance(outcome, Failed):
            notify(outcome)

    def _on_job_released(self, job: Job) -> None:
        self._kept.discard(job)


@cache
def jobs() -> Jobs:
    """Return the jobs of this process."""
    made = Jobs()
    atexit.register(made.close)
    application = QCoreApplication.instance()
    if application is not None:
        application.aboutToQuit.connect(made.close)
    return made


def notify(failed: Failed) -> None:
    """Show one notification of napari: the sentence, its details folded.

    What was refused is no crash: a warning, and without details.  `Jobs.start` does
    this already for its jobs.
    """
    if failed.is_refusal:
        show_warning(failed.sentence)
    else:
        notification_manager.dispatch(_Notification(failed))


class _Notification(ErrorNotification):  # type: ignore[misc]  # napari has no types
    """Shows what happened in the child, behind napari's button for tracebacks."""

    def __init__(self, failed: Failed) -> None:
        super().__init__(RuntimeError(failed.sentence))
        self._details = failed.details or failed.sentence

    def as_text(self) -> str:
        return self._details

    def as_html(self) -> str:
        return f"<pre>{escape(self._details)}</pre>"

    def __str__(self) -> str:
        return self._details
