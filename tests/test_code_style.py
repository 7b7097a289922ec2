"""The rules of the code are tests too: one command checks everything."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        "ruff check .",
        "ruff format --check .",
        "mypy",
        "lint-imports",
    ],
)
def test_the_rules_of_the_code_hold(command):
    program, *options = command.split()
    path = shutil.which(program, path=str(Path(sys.executable).parent))
    assert path, f"{program} is missing; install napari-pffnet[dev]"
    done = subprocess.run(
        [path, *options], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
