"""The child process that stays between jobs."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QTimer, Signal

from napari_pffnet._qt.child import Child
from napari_pffnet.messages import (
    LAST,
    DescribeDevices,
    Envelope,
    TrainRequest,
)

if TYPE_CHECKING:
    from napari_pffnet.messages import Answer, Cancel, Failed, Finish, Request

_IDLE_MS = 5 * 60 * 1000


class KeptChild(QObject):
    """The child process of the window: started when needed, kept between jobs.

    Attributes
    ----------
    answered
        Emits `messages.Answer`.
    died
        Emits `messages.Failed` when the process has ended and we did not end it.
    replaced
        Another process runs now: what is not answered must be sent again.
    """

    answered = Signal(object)
    died = Signal(object)
    replaced = Signal()

    def __init__(self, *, idle_ms: int = _IDLE_MS) -> None:
        super().__init__()
        self._child: Child | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._unanswered: dict[int, Request] = {}
        self._is_used = False
        self._idle = QTimer(self)
        self._idle.setSingleShot(True)
        self._idle.setInterval(idle_ms)
        self._idle.timeout.connect(self.end)

    @property
    def folder(self) -> Path:
        """The private folder of this window; only its user may read it."""
        if self._folder is None or not Path(self._folder.name).is_dir():
            self._folder = tempfile.TemporaryDirectory(
                prefix="napari-pffnet-", ignore_cleanup_errors=True
            )
        return Path(self._folder.name)

    @property
    def is_running(self) -> bool:
        """Whether there is a process."""
        return self._child is not None

    @property
    def is_busy(self) -> bool:
        """Whether an answer is still to come."""
        return bool(self._unanswered)

    def start(self) -> None:
        """Start the process unless it runs.

        Raises
        ------
        OSError
            If the computer cannot start one.
        """
        if self._child is None:
            self._child = Child(self.folder)
            self._child.answered.connect(self._on_answered)
            self._child.ended.connect(self._on_ended)
            self._idle.start()

    def request(self, job: int, request: Request) -> None:
        """Send a request; raises as `start` does."""
        # What a segmentation left in memory is in a training's way.
        if isinstance(request, TrainRequest) and self._is_used:
            self.replace()
        self.start()
        self._idle.stop()
        self._unanswered[job] = request
        self._is_used |= not isinstance(request, DescribeDevices)
        self.tell(job, request)

    def tell(self, job: int, message: Request | Cancel | Finish) -> None:
        """Send what needs no answer of its own."""
        if self._child is not None:
            self._child.send(Envelope(job=job, request=message))

    def end(self) -> None:
        """End the process, if there is one."""
        self._idle.stop()
        self._unanswered.clear()
        self._is_used = False
        if self._child is not None:
            child, self._child = self._child, None
            child.end()

    def replace(self) -> None:
        """End the process and start another."""
        self.end()
        with suppress(OSError):  # told when the next request is sent
            self.start()
        self.replaced.emit()

    def close(self) -> None:
        """End the process and remove the private folder, as the window closes."""
        child = self._child
        self.end()
        if child is not None:
            child.join()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def _on_answered(self, answer: Answer) -> None:
        request = None
        if isinstance(answer.body, LAST):
            request = self._unanswered.pop(answer.job, None)
            if not self._unanswered:
                self._idle.start()
        self.answered.emit(answer)
        # It has kept memory, and perhaps processes that load images.
        if isinstance(request, TrainRequest):
            self.replace()

    def _on_ended(self, child: Child, why: Failed) -> None:
        if child is self._child:  # else we have ended it
            self._child = None
            self.end()
            self.died.emit(why)
