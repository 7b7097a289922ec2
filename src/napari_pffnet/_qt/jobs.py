"""Jobs of the widgets: prepared here, run in the child process, loaded here.

Nothing of it holds the GUI thread up: files are written and read in threads, and the
network runs in another process.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from napari_pffnet.messages import (
    Failed,
    SegmentDone,
    SegmentRequest,
    TrainDone,
    TrainRequest,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Done:
    """A job is complete; ``value`` is what its ``load`` returned."""

    value: Any


class Job(QObject):
    """One job; `Jobs.start` makes it.  All is used and emitted in the GUI thread.

    Attributes
    ----------
    title
        What the user reads in napari's activity dock.
    progressed
        Emits `Progress`, `LossStep` or `ScoreStep` of `napari_pffnet.messages`.
    finished
        Emits, exactly once, `Done`, `messages.Stopped` or `messages.Failed`.
    """

    progressed = Signal(object)
    finished = Signal(object)

    title: str

    @property
    def is_running(self) -> bool:
        """Whether `finished` is still to come."""
        raise NotImplementedError

    def cancel(self) -> None:
        """Stop the job; `finished` emits `Stopped` within a second."""
        raise NotImplementedError

    def finish_early(self) -> None:
        """Stop a training after its present step; it keeps its best weights."""
        raise NotImplementedError


class Jobs(QObject):
    """All jobs of this process, one at a time; take it from `jobs`."""

    @property
    def running(self) -> Job | None:
        """The job that runs."""
        raise NotImplementedError

    def start(
        self,
        prepare: Callable[[Path], SegmentRequest | TrainRequest],
        *,
        title: str,
        load: Callable[[SegmentDone | TrainDone, Path], Any] | None = None,
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
        raise NotImplementedError

    def devices(self) -> Job:
        """Ask for the devices of this machine, also while a job runs.

        `Done.value` is `messages.Devices`.  A failure is not notified.
        """
        raise NotImplementedError

    def free_memory(self) -> bool:
        """End the child process unless it works; return whether none is left."""
        raise NotImplementedError


@cache
def jobs() -> Jobs:
    """Return the jobs of this process."""
    return Jobs()


def notify(failed: Failed) -> None:
    """Show one notification of napari: the sentence, its details folded.

    `Jobs.start` does this already for its jobs.
    """
    raise NotImplementedError
