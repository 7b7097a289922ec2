"""The two pipes to the window."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, BinaryIO

from napari_pffnet.messages import Answer, write_line

if TYPE_CHECKING:
    from typing import Self


@dataclass(frozen=True, slots=True)
class Pipes:
    """Lines from the window, and answers to it, from any thread."""

    requests: BinaryIO
    answers: BinaryIO
    _lock: Lock = field(default_factory=Lock)

    @classmethod
    def take(cls) -> Self:
        """Take standard input and output for messages alone.

        What a library prints goes to standard error from here on, and it reads
        nothing from standard input.
        """
        requests = os.fdopen(os.dup(0), "rb")
        answers = os.fdopen(os.dup(1), "wb")
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        os.dup2(2, 1)
        sys.stdout = sys.stderr
        if sys.platform != "win32":
            # A loader worker that outlives this process must not keep the pipe
            # open: the window learns from its end that this process is gone.
            os.register_at_fork(after_in_child=lambda: os.close(answers.fileno()))
        return cls(requests, answers)

    def send(self, answer: Answer) -> None:
        """Send an answer.

        Raises
        ------
        OSError
            If the window is gone.
        """
        with self._lock:
            self.answers.write(write_line(answer))
            self.answers.flush()
