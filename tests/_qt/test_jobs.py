"""Jobs of the widgets, in the real child process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dask
import dask.array as da
import numpy as np
import pytest
from napari.utils.notifications import notification_manager
from qtpy.QtWidgets import QLabel

from napari_pffnet._qt.arrays import read_result, write_array
from napari_pffnet._qt.jobs import Done, Jobs
from napari_pffnet._qt.kept_child import KeptChild
from napari_pffnet.config import Recipe
from napari_pffnet.messages import (
    Devices,
    Failed,
    ImageRef,
    Progress,
    SegmentRequest,
    Stopped,
    TrainRequest,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytestqt.qtbot import QtBot

    from napari_pffnet._qt.jobs import Job

PATIENCE = 300_000
"""Milliseconds; the child lets everything else on this machine go first."""


class Desk:
    """Starts jobs and waits for them in a running event loop."""

    def __init__(self, jobs: Jobs, qtbot: QtBot, checkpoint: Path) -> None:
        self.jobs, self.qtbot, self.checkpoint = jobs, qtbot, checkpoint

    def start(self, data: Any, *, axes: str = "YX", load: Any = None) -> Job:
        """Segment an array."""

        def prepare(folder: Path) -> SegmentRequest:
            return SegmentRequest(
                image=ImageRef(array=write_array(folder, "image", data), axes=axes),
                model=str(self.checkpoint),
                device="cpu",
                out=str(folder),
            )

        return self.jobs.start(prepare, title="Segment cells.tif", load=load)

    def outcome(self, job: Job) -> object:
        """Wait until a job is over."""
        with self.qtbot.waitSignal(job.finished, timeout=PATIENCE) as blocker:
            pass
        return blocker.args[0]

    def cancel(self, job: Job) -> float:
        """Cancel a job; return after how many seconds it is over."""
        start = time.monotonic()
        with self.qtbot.waitSignal(job.finished, timeout=PATIENCE) as blocker:
            job.cancel()
        assert isinstance(blocker.args[0], Stopped)
        return time.monotonic() - start


@pytest.fixture(scope="module")
def jobs(qapp: object) -> Iterator[Jobs]:
    """The jobs of a window of their own."""
    made = Jobs()
    yield made
    made.close()


@pytest.fixture
def desk(jobs: Jobs, qtbot: QtBot, tiny_checkpoint: Path) -> Desk:
    return Desk(jobs, qtbot, tiny_checkpoint)


@pytest.fixture
def notices() -> Callable[[], list[str]]:
    """Tell the texts of the notifications since the start of the test."""
    before = len(notification_manager.records)
    return lambda: [n.message for n in notification_manager.records[before:]]


# Coarser than noise, which is not searched.
PICTURE = np.random.default_rng(0).integers(0, 255, (64, 32), np.uint8).repeat(2, 1)
STACK = np.stack([PICTURE] * 500)


def acting(action: Callable[[], object]) -> Any:
    """Make an image that runs a function in the child when it is read."""

    def read() -> np.ndarray:
        action()
        return np.zeros((64, 64), np.uint8)

    return da.from_delayed(dask.delayed(read)(), (64, 64), np.uint8)


def endless(path: Path) -> Any:
    """Make an image that takes for ever to read; writes the child's number."""

    def act() -> None:
        path.with_name("new").write_text(str(os.getpid()))
        path.with_name("new").rename(path)
        time.sleep(600)

    return acting(act)


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_a_job_is_prepared_and_loaded_in_threads_and_leaves_no_files(desk):
    seen = {}

    def load(body, folder):
        seen["folder"], seen["thread"] = folder, threading.current_thread()
        return read_result(folder)

    done = desk.outcome(desk.start(PICTURE, load=load))
    assert isinstance(done, Done)
    assert done.value.labels.shape == done.value.semantic.shape == (64, 64)
    assert len(done.value.table) == done.value.labels.max()
    assert seen["thread"] is not threading.main_thread()
    desk.qtbot.waitUntil(lambda: not seen["folder"].exists())


def test_a_job_tells_its_progress(desk):
    steps = []
    job = desk.start(np.stack([PICTURE] * 3), axes="ZYX")
    job.progressed.connect(steps.append)
    assert isinstance(desk.outcome(job), Done)
    assert all(isinstance(step, Progress) for step in steps)
    assert "plane 3 of 3" in [step.text for step in steps]


def test_a_job_is_cancelled_between_two_steps(desk):
    job = desk.start(STACK, axes="TYX")
    desk.qtbot.waitSignal(job.progressed, timeout=PATIENCE).wait()
    assert desk.cancel(job) < 1
    assert isinstance(desk.outcome(desk.start(PICTURE)), Done)


def test_a_job_is_cancelled_in_the_middle_of_a_long_step(desk, tmp_path):
    job = desk.start(endless(tmp_path / "pid"))
    desk.qtbot.waitUntil((tmp_path / "pid").exists, timeout=PATIENCE)
    assert desk.cancel(job) < 1
    desk.qtbot.waitUntil(lambda: is_gone(int((tmp_path / "pid").read_text())))
    assert isinstance(desk.outcome(desk.start(PICTURE)), Done)


def test_a_job_is_cancelled_while_its_arrays_are_written(desk, qtbot):
    go_on = threading.Event()
    job = desk.jobs.start(lambda folder: go_on.wait(60), title="Segment")
    assert desk.cancel(job) < 1
    go_on.set()
    assert isinstance(desk.outcome(desk.start(PICTURE)), Done)


def test_a_child_that_is_killed_gives_one_notification(desk, tmp_path, notices):
    job = desk.start(endless(tmp_path / "pid"))
    desk.qtbot.waitUntil((tmp_path / "pid").exists, timeout=PATIENCE)
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
    assert isinstance(desk.outcome(job), Failed)
    (text,) = notices()
    assert "memory" in text
    assert isinstance(desk.outcome(desk.start(PICTURE)), Done)


def test_a_crash_of_the_child_tells_where_it_happened(desk, notices):
    failed = desk.outcome(desk.start(acting(lambda: os.abort())))
    assert "ended unexpectedly" in failed.sentence
    assert "Fatal Python error: Aborted" in failed.details
    assert notices() == [failed.sentence]


def test_an_error_gives_one_notification_with_its_details_folded(desk, notices):
    failed = desk.outcome(desk.start(acting(lambda: np.zeros(2) @ np.zeros(3))))
    assert notices() == [failed.sentence]
    assert "mismatch" in failed.sentence
    notice = notification_manager.records[-1]
    assert notice.severity == "error"
    assert "Traceback" in notice.as_text()


def test_what_is_refused_is_told_as_a_warning(desk, notices):
    desk.checkpoint = Path("lost.safetensors")
    failed = desk.outcome(desk.start(PICTURE))
    assert notices() == [failed.sentence]
    assert failed.sentence == "There is no checkpoint at lost.safetensors."
    assert "Traceback" in failed.details
    assert notification_manager.records[-1].severity == "warning"


@pytest.mark.parametrize("place", ["prepare", "load"])
def test_an_error_in_the_window_is_told_in_the_same_way(desk, notices, place):
    def fail(*_):
        raise ValueError("The disk is full; remove something.")

    if place == "load":
        job = desk.start(PICTURE, load=fail)
    else:
        job = desk.jobs.start(fail, title="Segment")
    assert isinstance(desk.outcome(job), Failed)
    assert notices() == ["The disk is full; remove something."]


def test_a_second_job_is_refused_by_the_name_of_the_first(desk):
    job = desk.start(STACK, axes="TYX")
    with pytest.raises(ValueError, match=r'"Segment cells.tif" is still running'):
        desk.start(PICTURE)
    desk.cancel(job)
    assert isinstance(desk.outcome(desk.start(PICTURE)), Done)


def test_the_devices_are_told_though_a_job_was_ended(desk, tmp_path):
    job = desk.start(endless(tmp_path / "pid"))
    desk.qtbot.waitUntil((tmp_path / "pid").exists, timeout=PATIENCE)
    asked = desk.jobs.devices()
    desk.qtbot.wait(100)
    with desk.qtbot.waitSignal(asked.finished, timeout=PATIENCE) as blocker:
        job.cancel()
    assert isinstance(blocker.args[0].value, Devices)


def test_a_training_does_not_share_the_process_of_a_segmentation(desk, tmp_path):
    def number():
        (tmp_path / "pid").write_text(str(os.getpid()))

    desk.outcome(desk.start(acting(number)))
    first = int((tmp_path / "pid").read_text())
    request = TrainRequest(recipe=Recipe(), out=str(tmp_path / "m.safetensors"))
    assert isinstance(
        desk.outcome(desk.jobs.start(lambda _: request, title="Train")), Failed
    )
    desk.qtbot.waitUntil(lambda: is_gone(first))


def test_memory_is_freed_unless_a_job_runs(desk):
    job = desk.start(STACK, axes="TYX")
    desk.qtbot.waitSignal(job.progressed, timeout=PATIENCE).wait()
    assert not desk.jobs.free_memory()
    desk.cancel(job)
    assert desk.jobs.free_memory()


def test_an_image_is_let_go_when_its_job_is_over(desk, qtbot):
    image = PICTURE.copy()
    seen = weakref.ref(image)
    job = desk.start(image)
    del image
    assert isinstance(desk.outcome(job), Done)
    qtbot.waitUntil(lambda: seen() is None)


def test_jobs_can_start_again_after_napari_was_closed(desk):
    job = desk.start(STACK, axes="TYX")
    desk.jobs.close()
    assert not job.is_running
    assert isinstance(desk.outcome(desk.start(PICTURE)), Done)


def test_an_idle_child_ends(qtbot, tiny_checkpoint):
    child = KeptChild(idle_ms=50)
    desk = Desk(Jobs(child), qtbot, tiny_checkpoint)
    assert isinstance(desk.outcome(desk.start(PICTURE)), Done)
    assert child.is_running
    qtbot.waitUntil(lambda: not child.is_running)
    child.close()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_the_private_folder_is_closed_to_others_and_removed(qapp):
    child = KeptChild()
    folder = child.folder
    assert folder.stat().st_mode & 0o777 == 0o700
    child.close()
    assert not folder.exists()


@pytest.mark.usefixtures("viewer")
def test_the_activity_dock_shows_the_job(desk, qapp):
    def titles():
        labels = [each for each in qapp.allWidgets() if isinstance(each, QLabel)]
        return [label for label in labels if "Segment cells.tif" in label.text()]

    job = desk.start(PICTURE)
    desk.qtbot.waitUntil(lambda: len(titles()) == 1)
    assert isinstance(desk.outcome(job), Done)
    desk.qtbot.waitUntil(lambda: not titles())


SCRIPT = """
import os, sys
with open(os.environ["LOG"], "a") as log:
    log.write("run\\n")
import napari, numpy
from napari_pffnet._qt.jobs import jobs
from napari_pffnet._qt.arrays import write_array
from napari_pffnet.messages import ImageRef, SegmentRequest

def prepare(folder):
    image = numpy.arange(4096, dtype="u2").reshape(64, 64)
    ref = ImageRef(array=write_array(folder, "image", image), axes="YX")
    return SegmentRequest(
        image=ref, model=os.environ["MODEL"], device="cpu", out=str(folder)
    )

def finish(outcome):
    with open(os.environ["LOG"], "a") as log:
        log.write(f"{type(outcome).__name__} {'torch' in sys.modules}\\n")
    viewer.close()

viewer = napari.Viewer()
jobs().start(prepare, title="Segment").finished.connect(finish)
napari.run()
"""


@pytest.mark.parametrize("program", ["python", "napari"])
def test_a_script_without_a_guard_runs_once_and_never_loads_torch(
    tmp_path, tiny_checkpoint, program
):
    script, log = tmp_path / "script.py", tmp_path / "log"
    script.write_text(SCRIPT)
    # A file that the child must not take for the library of this name.
    (tmp_path / "torch.py").write_text("raise SystemExit('not torch')")
    source = Path(__file__).parents[2] / "src"
    subprocess.run(
        [Path(sys.executable).with_name(program), script],
        env=os.environ
        | {"PYTHONPATH": str(source), "LOG": str(log), "MODEL": str(tiny_checkpoint)},
        cwd=tmp_path,
        timeout=PATIENCE / 1000,
        check=True,
    )
    assert log.read_text().splitlines() == ["run", "Done False"]
