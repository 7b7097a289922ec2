"""One job, from the click to its result."""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial
from threading import Thread
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer, Signal

from napari_pffnet._qt.background import Background
from napari_pffnet.messages import (
    LAST,
    RESULTS,
    Cancel,
    Failed,
    Finish,
    Stopped,
    explain,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_pffnet._qt.kept_child import KeptChild
    from napari_pffnet.messages import Answer, Request

_PATIENCE_MS = 500
"""After so long the child that does not stop by itself is ended."""


@dataclass(frozen=True, slots=True)
class Done:
    """A job is complete; ``value`` is what its ``load`` returned."""

    value: Any


class _Phase(Enum):
    PREPARING = auto()
    COMPUTING = auto()
    LOADING = auto()
    OVER = auto()


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
    released = Signal(object)
    """Emits this job.  No thread works for it any more; only then may it be deleted."""

    def __init__(
        self,
        number: int,
        title: str,
        child: KeptChild,
        load: Callable[[Any, Path], object] | None = None,
    ) -> None:
        super().__init__()
        self.title = title
        self._number = number
        self._child = child
        self._load = load
        self._folder = child.folder / f"job-{number}"
        self._phase = _Phase.PREPARING
        self._request: Request | None = None
        self._is_cancelled = False
        self._is_finish_asked = False
        self._work: Background | None = None
        self._patience = QTimer(self)
        self._patience.setSingleShot(True)
        self._patience.setInterval(_PATIENCE_MS)
        self._patience.timeout.connect(self._on_patience_timeout)

    @property
    def is_running(self) -> bool:
        """Whether `finished` is still to come."""
        return self._phase is not _Phase.OVER

    def begin(self, prepare: Callable[[Path], Request]) -> None:
        """Start; `Jobs` does it."""
        # 1. A thread writes the arrays, while the child loads its libraries.
        with suppress(OSError):  # told when the request is sent
            self._child.start()
        self._run(partial(self._make_request, prepare), self._on_prepared)

    def cancel(self) -> None:
        """Stop the job; `finished` emits `Stopped` within a second."""
        if self._phase is _Phase.COMPUTING:
            self._is_cancelled = True
            self._child.tell(self._number, Cancel())
            self._patience.start()
        else:
            self.abandon()

    def abandon(self) -> None:
        """Stop the job here, whatever the child does with it."""
        self._end(Stopped())

    def finish_early(self) -> None:
        """Stop a training after its present step; it keeps its best weights."""
        self._is_finish_asked = True
        if self._phase is _Phase.COMPUTING:
            self._child.tell(self._number, Finish())

    # ------------------------------------------------------- one after the other

    def _make_request(self, prepare: Callable[[Path], Request]) -> Request:
        self._folder.mkdir(parents=True)
        return prepare(self._folder)

    def _on_prepared(self, request: Request) -> None:
        self._work = None
        if self._phase is _Phase.OVER:
            self._end(Stopped())
            return
        # 2. The child computes.
        self._request = request
        self._phase = _Phase.COMPUTING
        self._child.answered.connect(self._on_answered)
        self._child.died.connect(self._on_died)
        self._send()
        self._child.replaced.connect(self._send)

    def _send(self) -> None:
        if self._request is None or self._phase is not _Phase.COMPUTING:
            return
        try:
            self._child.request(self._number, self._request)
        except OSError as error:
            self._end(explain(error))
            return
        if self._is_finish_asked:
            self._child.tell(self._number, Finish())

    def _on_answered(self, answer: Answer) -> None:
        body = answer.body
        if answer.job != self._number or self._phase is not _Phase.COMPUTING:
            return
        if isinstance(body, RESULTS) and not self._is_cancelled:
            # 3. A thread reads what the child has written.
            self._phase = _Phase.LOADING
            self._run(partial(self._loaded, body), self._on_loaded)
        elif isinstance(body, LAST):
            self._end(body)
        elif not self._is_cancelled:
            self.progressed.emit(body)

    def _loaded(self, body: object) -> object:
        return self._load(body, self._folder) if self._load else body

    def _on_loaded(self, value: object) -> None:
        self._work = None
        self._end(Done(value))

    def _on_raised(self, error: Exception) -> None:
        self._work = None
        self._end(explain(error))

    def _on_died(self, why: Failed) -> None:
        if self._phase is _Phase.COMPUTING:
            self._end(why)

    def _on_patience_timeout(self) -> None:
        self._phase = _Phase.LOADING  # so that nobody sends the request again
        self._child.replace()
        self._end(Stopped())

    # ---------------------------------------------------------------- the end

    def _run(self, function: Callable[[], object], then: Callable[[Any], None]) -> None:
        self._work = Background(function)
        self._work.returned.connect(then)
        self._work.raised.connect(self._on_raised)
        self._work.start()

    def _end(self, outcome: object) -> None:
        """Emit the outcome, unless the job is over and this comes too late."""
        was_over = self._phase is _Phase.OVER
        self._phase = _Phase.OVER
        self._patience.stop()
        if not was_over:
            self.finished.emit(Stopped() if self._is_cancelled else outcome)
        if self._work is None:
            # Large files take their time; a thread that still writes must be done.
            Thread(target=shutil.rmtree, args=(self._folder, True), daemon=True).start()
            self.released.emit(self)
