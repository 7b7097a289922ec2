"""What the user has asked of a running job."""

from __future__ import annotations

from threading import Event


class Control:
    """What the user has asked of one job; read and set by any thread.

    A job is a generator of messages.  It need not look at `is_cancelled`: between two
    messages the loop does, and closes the generator.  A job that can end early with a
    result looks at `is_finish_asked` between two steps.
    """

    def __init__(self) -> None:
        self._cancelled = Event()
        self._finish_asked = Event()

    @property
    def is_cancelled(self) -> bool:
        """Whether the job is to stop and its result is not wanted."""
        return self._cancelled.is_set()

    @property
    def is_finish_asked(self) -> bool:
        """Whether the job is to stop and keep the best that it has."""
        return self._finish_asked.is_set()

    def cancel(self) -> None:
        """Ask the job to stop; its result is not wanted."""
        self._cancelled.set()

    def finish(self) -> None:
        """Ask the job to stop and keep the best that it has."""
        self._finish_asked.set()
