import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


def run(name: str, *words: str) -> str:
    """Run an example and return what it prints."""
    done = subprocess.run(
        [sys.executable, EXAMPLES / name, *words],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_segmenting_an_image():
    printed = run("segment_image.py")
    assert "of 83 outlined by hand" in printed
    assert "PQ 0." in printed


@pytest.mark.slow
def test_refining_the_model():
    assert "refined    PQ 0." in run("fine_tune.py", "2")
