"""What the user reads: progress, sentences about mistakes, exit codes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tqdm import tqdm

OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130


def tell(text: str) -> None:
    """Write a line to standard output: a result."""
    sys.stdout.write(f"{text}\n")


def warn(text: str) -> None:
    """Write a line to standard error: everything that is not a result."""
    sys.stderr.write(f"{text}\n")


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


def report_failures(failures: Mapping[str, str]) -> int:
    """Say at the end which files failed and why; return the exit code."""
    if failures:
        warn(f"{len(failures)} failed:")
    for name, reason in failures.items():
        warn(f"  {name}: {reason}")
    return FAILED if failures else OK


def sentence(error: BaseException) -> str:
    """Return what is wrong in words, without the name of an exception."""
    cause = error if isinstance(error, ValidationError) else error.__cause__
    if isinstance(cause, ValidationError):
        return _explain_options(cause)
    return str(error).strip() or f"unexpected {type(error).__name__}"


def _explain_options(error: ValidationError) -> str:
    """Return which options have which wrong values, and what they should be."""
    wrong: dict[str, tuple[Any, list[str]]] = {}
    for item in error.errors():
        name = str(item["loc"][0]).replace("_", "-") if item["loc"] else "option"
        message = item["msg"].removeprefix("Value error, ")
        message = message.removeprefix("Input should be ")
        wrong.setdefault(name, (item["input"], []))[1].append(message)
    return " ".join(
        f"--{name} {value} should be {' or '.join(messages)}."
        for name, (value, messages) in wrong.items()
    )
