"""The real child process, talked to as the window of napari does."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_pffnet._qt.arrays import write_array
from napari_pffnet.messages import (
    LAST,
    Answer,
    Body,
    Cancel,
    Envelope,
    Finish,
    ImageRef,
    Request,
    SegmentRequest,
    read_line,
    write_line,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENCE = 300
"""Seconds; the child lets everything else on this machine go first."""


@dataclass
class Window:
    """The window's side of the pipes."""

    process: subprocess.Popen[bytes]
    heard: Queue[Answer] = field(default_factory=Queue)

    def __post_init__(self) -> None:
        Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        for line in self.process.stdout:
            self.heard.put(read_line(line))

    def write(self, line: bytes) -> None:
        self.process.stdin.write(line)
        self.process.stdin.flush()

    def send(self, job: int, request: Request | Cancel | Finish) -> None:
        self.write(write_line(Envelope(job=job, request=request)))

    def next_answer(self) -> Answer:
        return self.heard.get(timeout=PATIENCE)

    def run(self, request: Request, job: int = 1) -> list[Body]:
        """Run a job to its end."""
        self.send(job, request)
        bodies: list[Body] = []
        while not bodies or not isinstance(bodies[-1], LAST):
            bodies.append(self.next_answer().body)
        return bodies

    def vanish(self) -> None:
        """Close our end of the pipe and wait until the child is gone."""
        self.process.stdin.close()
        self.process.wait(timeout=PATIENCE)


@pytest.fixture(scope="session")
def start_window() -> Iterator[Callable[..., Window]]:
    """Start child processes; they are ended after the tests."""
    source = Path(__file__).parents[2] / "src"
    started: list[subprocess.Popen[bytes]] = []

    def start(*options: str, first: Path | None = None) -> Window:
        places = os.pathsep.join(str(place) for place in (first, source) if place)
        process = subprocess.Popen(
            [sys.executable, "-m", "napari_pffnet.worker", *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": places},
        )
        started.append(process)
        return Window(process)

    yield start
    for process in started:
        process.stdin.close()
        process.wait(timeout=PATIENCE)
        process.stdout.close()


@pytest.fixture(scope="session")
def window(start_window: Callable[..., Window]) -> Window:
    """A child process for all tests that leave it as it was."""
    return start_window()


@pytest.fixture
def request_for(tmp_path: Path, tiny_checkpoint: Path) -> Callable[..., SegmentRequest]:
    """Make the request to segment an array."""

    def make(data: Any, *, axes: str = "YX") -> SegmentRequest:
        array = write_array(tmp_path / "in", "image", data)
        return SegmentRequest(
            image=ImageRef(array=array, axes=axes),
            model=str(tiny_checkpoint),
            device="cpu",
            out=str(tmp_path / "out"),
        )

    return make


def coarse_noise() -> np.ndarray:
    noise = np.random.default_rng(0).integers(0, 255, (64, 32), np.uint8)
    return noise.repeat(2, axis=1)


@pytest.fixture
def picture() -> np.ndarray:
    """A small image with some structure."""
    return coarse_noise()


@pytest.fixture
def acting() -> Callable[..., Any]:
    """Make an image that runs a function in the child when it is read."""
    import dask
    import dask.array as da

    def make(action: Callable[[], object]) -> Any:
        def read() -> np.ndarray:
            action()
            return coarse_noise()

        return da.from_delayed(dask.delayed(read)(), (64, 64), np.uint8)

    return make
