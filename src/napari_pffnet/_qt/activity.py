"""A job in napari's activity dock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.utils.progress import cancelable_progress
from qtpy.QtCore import QTimer

from napari_pffnet.messages import LossStep, Progress

if TYPE_CHECKING:
    from collections.abc import Callable


class _Bar(cancelable_progress):  # type: ignore[misc]  # napari has no types
    """A bar with a button that cancels."""

    def cancel(self) -> None:
        super().cancel()
        if self.cancel_callback is not None:
            # Afterwards, as the bar still has to change its button.
            QTimer.singleShot(0, self.cancel_callback)


class Activity:
    """A bar in the activity dock.

    napari lets other events run while it changes a bar, so that the next message
    may come, or the job end, in the middle of a change.
    """

    def __init__(self, title: str, cancel: Callable[[], None]) -> None:
        self._title = title
        self._wanted: Progress | None = None
        self._is_changing = True
        self._is_closed = False
        self._bar = _Bar(total=0, desc=title, cancel_callback=cancel)
        self._is_changing = False
        self._change()

    def show(self, body: object) -> None:
        """Show how far the job is."""
        if isinstance(body, LossStep):
            self._wanted = Progress(done=body.step, total=body.steps)
        elif isinstance(body, Progress):
            self._wanted = body
        self._change()

    def close(self) -> None:
        """Take the bar away."""
        self._is_closed = True
        self._change()

    def _change(self) -> None:
        if self._is_changing:
            return
        self._is_changing = True
        while self._wanted is not None and not self._is_closed:
            wanted, self._wanted = self._wanted, None
            self._apply(wanted)
        self._is_changing = False
        if self._is_closed:
            self._bar.close()

    def _apply(self, wanted: Progress) -> None:
        text = f"{self._title}, {wanted.text}" if wanted.text else self._title
        if text != self._bar.desc:
            self._bar.set_description(text)
        if wanted.total != self._bar.total:
            self._bar.total = wanted.total
        self._bar.update(wanted.done - self._bar.n)
