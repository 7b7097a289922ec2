"""The tests with a window, under each Qt binding in a process of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
BINDINGS = ("PySide6", "PyQt6")
# What pytest returns where all tests passed or were skipped.
PASSED = 0


def start(binding: str, log: Path) -> subprocess.Popen[bytes]:
    """Run the tests with a window under a binding, where possible on its own screen.

    On a common one the windows would take the keyboard from each other.
    """
    own_screen = ["xvfb-run", "-a"] if shutil.which("xvfb-run") else []
    with log.open("wb") as output:
        return subprocess.Popen(
            [*own_screen, sys.executable, "-m", "pytest", ROOT / "tests/_qt", "-q"],
            env={**os.environ, "QT_API": binding.lower()},
            cwd=ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
        )


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[dict[str, tuple[subprocess.Popen[bytes], Path]]]:
    """Start the tests of all installed bindings at once, each with a log."""
    logs = {b: tmp_path / f"{b}.txt" for b in BINDINGS if find_spec(b) is not None}
    started = {binding: (start(binding, log), log) for binding, log in logs.items()}
    yield started
    for process, _ in started.values():
        process.terminate()
        process.wait()


@pytest.mark.slow
# One test for all bindings, so that no second worker starts the same processes.
def test_the_window_works_under_each_binding(runs):
    if not runs:
        pytest.skip(f"none of {', '.join(BINDINGS)} is installed")
    for binding, (process, log) in runs.items():
        status = process.wait()
        said = log.read_text(errors="replace")
        assert status == PASSED, f"{binding}: {said}"
        if "no display" in said:
            pytest.skip("no display: run the tests under xvfb-run -a")
