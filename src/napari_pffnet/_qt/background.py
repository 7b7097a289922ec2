"""Work in a thread of this process: files, no network."""

from __future__ import annotations

from contextlib import suppress
from threading import Thread
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

if TYPE_CHECKING:
    from collections.abc import Callable


class Background(QObject):
    """A function that runs in a thread; its outcome arrives in the GUI thread.

    Attributes
    ----------
    returned
        Emits what the function returned.
    raised
        Emits the exception that it raised.
    """

    returned = Signal(object)
    raised = Signal(object)

    def __init__(self, function: Callable[[], object]) -> None:
        super().__init__()
        self._function = function
        # Not of a thread pool: napari would wait for it when it closes.
        self._thread = Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Run the function."""
        self._thread.start()

    def wait(self) -> None:
        """Return when the function has ended; its outcome arrives later."""
        self._thread.join()

    def _run(self) -> None:
        outcome: object
        try:
            outcome, failed = self._function(), False
        except Exception as error:  # noqa: BLE001 - told to the user, whatever it is
            outcome, failed = error, True
        # As napari closes, Qt deletes this object while the thread still runs.
        with suppress(RuntimeError):
            (self.raised if failed else self.returned).emit(outcome)
