"""The child process as the window sees it."""

from __future__ import annotations

import logging
import os
import signal
import site
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

from napari_pffnet.messages import Failed, read_line, write_line

if TYPE_CHECKING:
    from napari_pffnet.messages import Envelope

logger = logging.getLogger("napari_pffnet")

_LAST_WORDS = 8000
"""Bytes of its log that tell why a child has died."""


class Child(QObject):
    """One child process, from its start to its end.

    Attributes
    ----------
    answered
        Emits `messages.Answer`.
    ended
        Emits this object, and `messages.Failed` that says how it came about.

    Parameters
    ----------
    folder
        Of the window; the child removes it when the window has vanished.
    """

    answered = Signal(object)
    ended = Signal(object, object)

    def __init__(self, folder: Path) -> None:
        super().__init__()
        handle, name = tempfile.mkstemp(dir=folder, prefix="child-", suffix=".log")
        self._log = Path(name)
        with os.fdopen(handle, "wb") as log:
            self._process = _start_process(folder, log.fileno())
        self._outbox: SimpleQueue[bytes | None] = SimpleQueue()
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()
        # A thread of its own, as a pipe that is full would hold the window up.
        Thread(target=self._write, daemon=True).start()

    def send(self, message: Envelope) -> None:
        """Send a message soon."""
        self._outbox.put(write_line(message))

    def end(self) -> None:
        """End the process and all that it has started, at once."""
        if sys.platform == "win32":
            _end_tree(self._process)
        else:
            _end_group(self._process.pid)

    def join(self) -> None:
        """Wait a moment for the end of the thread that reads."""
        self._reader.join(timeout=1)

    def _read(self) -> None:
        # As napari closes, Qt deletes this object while the thread still runs.
        with suppress(RuntimeError):
            self._listen()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as pipe:
            for line in pipe:
                self._on_line(line)
        code = self._process.wait()
        self._outbox.put(None)
        if sys.platform != "win32":  # there its loader workers see its end
            _end_group(self._process.pid)
        why = Failed(sentence=_cause(code), details=self._last_words())
        self.ended.emit(self, why)

    def _on_line(self, line: bytes) -> None:
        try:
            message = read_line(line)
        except ValueError:
            logger.warning("The child process said %r.", line)
        else:
            self.answered.emit(message)

    def _write(self) -> None:
        assert self._process.stdin is not None
        # Its end is told by the thread that reads.
        with suppress(OSError), self._process.stdin as pipe:
            while (line := self._outbox.get()) is not None:
                pipe.write(line)
                pipe.flush()

    def _last_words(self) -> str:
        with suppress(OSError):
            return self._log.read_bytes()[-_LAST_WORDS:].decode(errors="replace")
        return ""


def _start_process(folder: Path, log: int) -> subprocess.Popen[bytes]:
    flags, lead = 0, True
    if sys.platform == "win32":
        flags = (
            subprocess.CREATE_NEW_PROCESS_GROUP
            | subprocess.CREATE_NO_WINDOW
            | subprocess.BELOW_NORMAL_PRIORITY_CLASS
        )
        lead = False
    return subprocess.Popen(
        [sys.executable, "-m", "napari_pffnet.worker", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        env=_environment(),
        start_new_session=lead,
        creationflags=flags,
    )


def _environment() -> dict[str, str]:
    """Return an environment in which the child finds the same package as we do."""
    # A file torch.py in the folder where napari was started must not be found.
    found = os.environ | {"PYTHONSAFEPATH": "1"}
    root = str(Path(__file__).parents[2])
    if root not in (*site.getsitepackages(), site.getusersitepackages()):
        places = (root, os.environ.get("PYTHONPATH"))
        found["PYTHONPATH"] = os.pathsep.join(place for place in places if place)
    return found


def _cause(code: int) -> str:
    if sys.platform != "win32" and code == -signal.SIGKILL:
        return (
            "The computation was ended from outside, most likely because the memory "
            "of the computer ran out. Close other programs or take a smaller part "
            "of the image, then try again."
        )
    return (
        f"The computation has ended unexpectedly (exit code {code}). Please try "
        "again; if it happens again, report it with the details."
    )


if sys.platform == "win32":

    def _end_tree(process: subprocess.Popen[bytes]) -> None:
        # Not waited for: it takes a while.
        subprocess.Popen(
            ["taskkill", "/F", "/T", "/PID", str(process.pid)],
            creationflags=subprocess.CREATE_NO_WINDOW,
        )

else:

    def _end_group(leader: int) -> None:
        with suppress(ProcessLookupError, PermissionError):  # it has ended
            os.killpg(leader, signal.SIGKILL)
