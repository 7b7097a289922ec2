import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from napari_pffnet.messages import (
    Cancel,
    DescribeDevices,
    Devices,
    Failed,
    Progress,
    SegmentDone,
    Stopped,
)


def test_the_child_tells_its_devices(window):
    (body,) = window.run(DescribeDevices())
    assert isinstance(body, Devices)
    assert body.devices[-1].name == "cpu"
    assert bool(body.why_no_gpu) == (len(body.devices) == 1)


def test_an_unknown_request_fails_and_the_next_one_is_answered(window):
    window.write(b'{"job": 7, "request": {"kind": "dance"}}\n')
    answer = window.next_answer()
    assert answer.job == 7
    assert isinstance(answer.body, Failed)
    window.write(b"no message at all\n")
    assert window.next_answer().job == 0
    assert isinstance(window.run(DescribeDevices())[-1], Devices)


def test_a_job_tells_its_progress_and_ends_with_its_result(
    window, request_for, picture
):
    *steps, last = window.run(request_for(picture))
    assert isinstance(last, SegmentDone)
    assert last.record["model"] == "tiny"
    assert all(isinstance(step, Progress) for step in steps)
    assert steps[-1].done == steps[-1].total


def test_an_error_tells_what_to_do_and_where_it_happened(window, request_for, picture):
    request = request_for(picture)
    wrong = request.model_copy(update={"model": "no such model"})
    failed = window.run(wrong)[-1]
    assert isinstance(failed, Failed)
    assert "No model is named 'no such model'" in failed.sentence
    assert "Traceback" in failed.details
    assert isinstance(window.run(request)[-1], SegmentDone)


def test_labels_that_would_end_the_memory_are_refused_before_it_does(
    window, request_for, picture
):
    import dask.array as da

    slide = da.zeros((300_000, 300_000), chunks=10_000, dtype=np.uint8)
    failed = window.run(request_for(slide))[-1]
    assert isinstance(failed, Failed)
    assert "90,000 megapixels" in failed.sentence
    assert "tab Folder" in failed.sentence
    planes = da.zeros((900_000, 100, 1000), chunks=(1000, 100, 1000), dtype=np.uint8)
    failed = window.run(request_for(planes, axes="ZYX"))[-1]
    assert isinstance(failed, Failed)
    assert "use fewer planes" in failed.sentence
    assert "Folder" not in failed.sentence
    assert isinstance(window.run(request_for(picture))[-1], SegmentDone)


def test_what_a_library_prints_does_not_break_the_messages(window, request_for, acting):
    def make_noise() -> None:
        sys.stdout.write("printed by Python\n")
        os.write(1, b"written by a library in C\n")
        subprocess.run(["echo", "written by another program"], check=True)

    assert isinstance(window.run(request_for(acting(make_noise)))[-1], SegmentDone)


def test_a_job_is_cancelled_between_two_steps(window, request_for, picture):
    window.send(1, request_for(np.stack([picture] * 500), axes="TYX"))
    while not (step := window.next_answer().body).done:
        assert isinstance(step, Progress)
    window.send(1, Cancel())
    while isinstance(step := window.next_answer().body, Progress):
        pass
    assert isinstance(step, Stopped)
    assert isinstance(window.run(DescribeDevices())[-1], Devices)


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_between_jobs_the_image_is_let_go(window, request_for, picture):
    request = request_for(picture)
    window.run(request)
    deadline = time.monotonic() + 60
    maps = Path(f"/proc/{window.process.pid}/maps")
    while request.image.array.path in maps.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_job_goes_behind_the_window(window, request_for, acting, tmp_path):
    def look() -> None:
        import torch

        facts = [os.nice(0), torch.get_num_threads(), os.getpgrp() == os.getpid()]
        (tmp_path / "facts").write_text(repr(facts))

    window.run(request_for(acting(look)))
    niceness, threads, leads = eval((tmp_path / "facts").read_text())
    assert niceness > os.nice(0)
    assert threads <= max(1, os.cpu_count() - 1)
    assert leads


def test_a_library_that_is_broken_fails_the_job_and_not_the_child(
    start_window, tmp_path
):
    (tmp_path / "torch.py").write_text("raise ImportError('c10.dll is missing')")
    window = start_window(first=tmp_path)
    for _ in range(2):
        (failed,) = window.run(DescribeDevices())
        assert isinstance(failed, Failed)
        assert "c10.dll is missing" in failed.sentence
