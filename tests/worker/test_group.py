"""The child does not outlive its window, nor what it has started the child."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from napari_pffnet.messages import Envelope, write_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari_pffnet.messages import SegmentRequest

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="looks for processes in /proc"
)

PATIENCE = 300
WINDOW = """
import os, subprocess, sys, time
read, write = os.pipe()
child = subprocess.Popen(
    [sys.executable, "-m", "napari_pffnet.worker", sys.argv[1]],
    stdin=read, stdout=subprocess.DEVNULL,
)
os.close(read)
if sys.argv[2] == "forks" and os.fork() == 0:
    time.sleep(600)
os.write(write, sys.stdin.buffer.readline())
time.sleep(600)
"""


@pytest.fixture
def long_request(
    request_for: Callable[..., SegmentRequest],
    acting: Callable[..., object],
    tmp_path: Path,
) -> SegmentRequest:
    """A job that starts a process, as a training does, and never ends by itself."""
    path = tmp_path / "pids"

    def work() -> None:
        helper = subprocess.Popen(["sleep", "600"])
        path.with_name("new").write_text(f"{os.getpid()} {helper.pid}")
        path.with_name("new").rename(path)
        time.sleep(600)

    return request_for(acting(work))


def pids(tmp_path: Path) -> list[int]:
    """Wait for the job to be at work; return the child and its helper."""
    path = tmp_path / "pids"
    wait_for(path.exists)
    return [int(pid) for pid in path.read_text().split()]


def wait_for(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_gone(pid: int) -> bool:
    """Whether a process has ended, perhaps not buried by its parent."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return True
    return stat.rpartition(")")[2].split()[0] == "Z"


def test_the_end_of_the_input_ends_the_group_in_the_middle_of_a_job(
    start_window, long_request, tmp_path
):
    folder = tmp_path / "private"
    folder.mkdir()
    window = start_window(str(folder))
    window.send(1, long_request)
    child, helper = pids(tmp_path)
    assert child == window.process.pid
    window.vanish()
    wait_for(lambda: is_gone(helper))
    assert not folder.exists()


@pytest.fixture(params=["alone", "forks"])
def script(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[subprocess.Popen]:
    """A window in a process of its own; another plugin may have forked it."""
    source = Path(__file__).parents[2] / "src"
    process = subprocess.Popen(
        [sys.executable, "-c", WINDOW, str(tmp_path / "private"), request.param],
        stdin=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(source)},
        start_new_session=True,
    )
    yield process
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def test_killing_the_window_ends_the_group_in_the_middle_of_a_job(
    script, long_request, tmp_path
):
    (tmp_path / "private").mkdir()
    with script.stdin as pipe:
        pipe.write(write_line(Envelope(job=1, request=long_request)))
    child, helper = pids(tmp_path)
    assert not is_gone(child)
    script.kill()
    script.wait()
    wait_for(lambda: is_gone(child) and is_gone(helper))
    assert not (tmp_path / "private").exists()
