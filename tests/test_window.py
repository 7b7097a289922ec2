"""The tests with a window, under each Qt binding in a process of its own."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# What pytest returns where all tests passed or were skipped.
PASSED = 0


@pytest.mark.slow
@pytest.mark.parametrize("binding", ["PySide6", "PyQt6"])
def test_the_window_works_under(binding):
    if find_spec(binding) is None:
        pytest.skip(f"{binding} is not installed")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", ROOT / "tests" / "_qt", "-q"],
        env={**os.environ, "QT_API": binding.lower()},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == PASSED, done.stdout + done.stderr
    if "no display" in done.stdout:
        pytest.skip("no display: run the tests under xvfb-run -a")
