"""What the user reads: progress, sentences about mistakes, exit codes."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any

from cyclopts import CycloptsError
from pydantic import ValidationError

from napari_pffnet.config import explain_invalid

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tqdm import tqdm

OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130


def tell(text: str) -> None:
    """Write a line to standard output: a result."""
    sys.stdout.write(f"{text}\n")


def warn(text: str) -> None:
    """Write a line to standard error: everything that is not a result."""
    sys.stderr.write(f"{text}\n")


def write_any_name() -> None:
    """Write what the encoding of standard output lacks as standard error does.

    Else an image whose name the system knows and the encoding does not ends the run.
    """
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def progress(total: int, description: str, *, quiet: bool) -> tqdm[Any]:
    """Return a progress bar on standard error with the time that is left.

    Its unit may be advanced by fractions.
    """
    from tqdm import tqdm

    return tqdm(
        total=total,
        desc=description,
        disable=quiet,
        file=sys.stderr,
        bar_format="{desc} {percentage:3.0f}% |{bar}| {elapsed}, {remaining} left"
        "{postfix}",
    )


@dataclass(slots=True)
class StopRequest:
    """Whether the user asked to stop."""

    is_made: bool = False

    def check(self) -> None:
        """Stop here, between two steps, if the user asked for it."""
        if self.is_made:
            raise KeyboardInterrupt


def is_first_process() -> bool:
    """Whether no other process of this run, as ``torchrun`` starts them, is before."""
    return "TORCHELASTIC_RUN_ID" not in os.environ or os.environ["RANK"] == "0"


@contextmanager
def stop_request() -> Iterator[StopRequest]:
    """Turn the first Ctrl-C into a request; the second one stops at once.

    Of several processes all are told, and only the first one heeds it: it stops
    the others between two steps.
    """
    request = StopRequest()

    def note(number: int, frame: object) -> None:
        request.is_made = True
        warn("\nStops after this step; Ctrl-C again stops at once.")
        signal.signal(signal.SIGINT, before)

    heeds = is_first_process()
    before = signal.signal(signal.SIGINT, note if heeds else signal.SIG_IGN)
    try:
        yield request
    finally:
        signal.signal(signal.SIGINT, before)


def report_failures(failures: Mapping[str, str]) -> int:
    """Say at the end which files failed and why; return the exit code."""
    if failures:
        warn(f"{len(failures)} failed:")
    for name, reason in failures.items():
        warn(f"  {reason if reason.startswith(name) else f'{name}: {reason}'}")
    return FAILED if failures else OK


def sentence(error: BaseException) -> str:
    """Return what is wrong in words, without the name of an exception."""
    if isinstance(error, ValidationError):
        return explain_invalid(error)
    # Only what cyclopts could not read is an option; a file may be invalid as well.
    cause = error.__cause__
    if isinstance(error, CycloptsError) and isinstance(cause, ValidationError):
        return explain_invalid(cause, prefix="--")
    if isinstance(error, OSError) and error.strerror:
        place = f": {error.filename}" if error.filename else ""
        return f"{error.strerror}{place}."
    return str(error).strip() or f"unexpected {type(error).__name__}"
