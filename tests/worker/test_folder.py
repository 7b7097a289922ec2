"""Folders of images through the child process."""

from __future__ import annotations

import imageio.v3 as iio
import numpy as np
import pandas as pd
import pytest

from napari_pffnet.config import OutputConfig, SegmentConfig
from napari_pffnet.messages import (
    Cancel,
    Failed,
    FolderDone,
    FolderRequest,
    Progress,
    Stopped,
)


@pytest.fixture
def request_folder(tmp_path, tiny_checkpoint):
    """Make the request to segment a folder of noise, a broken file too."""

    def make(count: int = 3, **output) -> FolderRequest:
        (tmp_path / "images").mkdir(exist_ok=True)
        for number in range(count):
            noise = np.random.default_rng(number).integers(0, 255, (64, 64), np.uint8)
            iio.imwrite(tmp_path / "images" / f"{number:03}.png", noise)
        (tmp_path / "images" / "broken.png").write_bytes(b"no picture")
        return FolderRequest(
            inputs=(str(tmp_path / "images"),),
            model=str(tiny_checkpoint),
            device="cpu",
            # In noise the untrained model finds objects.
            config=SegmentConfig(all_tiles=True),
            output=OutputConfig(**output),
            out=str(tmp_path / "out"),
        )

    return make


def test_a_folder_is_segmented_and_what_failed_is_told(
    window, request_folder, tmp_path
):
    *steps, last = window.run(request_folder())
    assert isinstance(last, FolderDone)
    assert (last.images, last.skipped) == (3, 0)
    (path,) = last.failures
    assert path.endswith("broken.png")
    assert pd.read_csv(last.summary)["objects"].sum() == last.objects
    assert last.worst in {str(tmp_path / "images" / f"00{i}.png") for i in range(3)}
    assert all(isinstance(step, Progress) for step in steps)
    done = [step.done for step in steps]
    assert done == sorted(done)
    assert done[-1] == steps[-1].total
    assert any("image 2 of 4, about" in step.text for step in steps)

    last = window.run(request_folder(resume=True))[-1]
    assert (last.images, last.skipped) == (3, 3)


def test_results_that_are_there_fail_the_job_with_a_sentence(window, request_folder):
    window.run(request_folder())
    failed = window.run(request_folder())[-1]
    assert isinstance(failed, Failed)
    assert "exists already" in failed.sentence


def test_a_cancelled_run_keeps_what_is_done(window, request_folder, tmp_path):
    window.send(7, request_folder(count=200))
    while "image 3 of" not in window.next_answer().body.text:
        pass
    window.send(7, Cancel())
    while isinstance(step := window.next_answer().body, Progress):
        pass
    assert isinstance(step, Stopped)
    table = pd.read_csv(tmp_path / "out" / "summary.csv")
    assert 2 <= len(table) == len(list((tmp_path / "out").glob("*_labels.tif"))) < 200
    assert not list((tmp_path / "out").glob(".*"))
