from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from napari_pffnet.review import Rectangle, ReviewSession
from napari_pffnet.review.find import (
    find_review,
    image_key,
    last_review,
    review_place,
)
from napari_pffnet.review.store import ReviewFolder

SRC = Path(__file__).parents[2] / "src"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("NAPARI_PFFNET_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 4000, (40, 40)).astype(np.uint16)


@pytest.fixture
def session(labels, table) -> ReviewSession:
    return ReviewSession(labels, table)


@pytest.fixture
def folder(session, image) -> ReviewFolder:
    key = image_key(image)
    return ReviewFolder.create(review_place(key), session, image_key=key)


def review(session: ReviewSession) -> None:
    """Make a step of each kind, and take some back."""
    session.accept(1)
    session.merge(2, 3)
    session.split(2, np.array([[10.0, 6.0], [22.0, 6.0]]))
    session.undo()
    session.reject(1)
    session.labels[30:34, 30:34] = 50
    session.painted()
    session.mark_done([Rectangle(0, 0, 20, 20)])
    session.undo()
    session.undo()
    session.redo()


def same(a: ReviewSession, b: ReviewSession) -> None:
    assert np.array_equal(a.labels, b.labels)
    pd.testing.assert_frame_equal(a.table, b.table, check_dtype=False)
    assert a.marks == b.marks
    assert (a.can_undo, a.can_redo) == (b.can_undo, b.can_redo)


def test_review_is_read_as_it_was_left(session, folder):
    review(session)
    same(session, ReviewFolder(folder.path).open())
    while session.undo():
        same(session, ReviewFolder(folder.path).open())


def test_second_window_is_refused(session, folder):
    second = ReviewFolder(folder.path).open()
    session.accept(1)
    with pytest.raises(ValueError, match="another window"):
        second.accept(2)
    assert second.progress.reviewed == 0


def test_changes_from_outside_are_read_too(session, folder):
    session.accept(1)
    session.labels[session.labels == 3] = 0
    session.adopt()
    session.undo()
    same(session, ReviewFolder(folder.path).open())


def test_stack_and_unknown_numbers_survive(labels, tmp_path):
    stack = np.stack([labels, np.where(labels > 0, labels + 3, 0)])
    session = ReviewSession(stack, None)
    folder = ReviewFolder.create(tmp_path / "stack", session)
    session.reject(5)
    same(session, ReviewFolder(folder.path).open())


def test_view_is_for_other_programs(session, folder):
    session.reject(2)
    folder.write_view(session.labels, session.table)
    seen = tifffile.imread(folder.path / "labels.tif")
    assert np.array_equal(seen, session.labels)
    rows = pd.read_csv(folder.path / "objects.csv", keep_default_na=False)
    assert rows["verdict"].tolist() == ["", "rejected", ""]


def test_damaged_review_says_what_to_do(session, folder):
    session.accept(1)
    (folder.path / "history" / "000001.json").write_text("{")
    with pytest.raises(ValueError, match="damaged"):
        ReviewFolder(folder.path).open()
    assert last_review(folder.header.image_key) is None


def test_review_of_a_newer_version_says_what_to_do(folder):
    header = folder.path / "review.json"
    facts = json.loads(header.read_text()) | {"version": 2, "zoom": 3}
    header.write_text(json.dumps(facts))
    with pytest.raises(ValueError, match="version 2, newer than 1; update"):
        ReviewFolder(folder.path)
    assert last_review(folder.header.image_key) is None


@pytest.mark.parametrize("content", ["{", "[]", '{"version": "two"}', '{"shape": 3}'])
def test_folder_of_something_else_is_no_review(folder, content):
    (folder.path / "review.json").write_text(content)
    with pytest.raises(ValueError, match="holds no review"):
        ReviewFolder(folder.path)


# ------------------------------------------------------------------- found again


@pytest.mark.parametrize("steps", [0, 1, 2, 3])
def test_labels_saved_at_any_moment_find_their_review(
    session, folder, labels, image, tmp_path, steps
):
    saved = labels.copy()
    for step in range(3):
        if step == steps:
            saved = labels.copy()
        session.reject(step + 1)
    tifffile.imwrite(tmp_path / "mine.tif", saved.astype(np.uint16))
    read = tifffile.imread(tmp_path / "mine.tif")
    found = find_review(read, image_key(image), tmp_path / "mine.tif")
    assert found is not None
    assert found.folder.path == folder.path
    assert str(found.session.progress) == "3 of 3 reviewed"


@pytest.mark.usefixtures("folder")
def test_labels_are_enough_without_the_image(session, labels):
    session.reject(2)
    assert find_review(labels, "") is not None


@pytest.mark.usefixtures("folder")
def test_other_labels_of_the_image_are_another_review(labels, image):
    other = np.roll(labels, 1)
    assert find_review(other, image_key(image)) is None
    second = ReviewFolder.create(
        review_place(image_key(image)), ReviewSession(other, None)
    )
    assert second.path.name.endswith("-2")


@pytest.mark.usefixtures("folder")
def test_image_alone_finds_what_was_worked_on_last(session, labels, image):
    session.accept(2)
    found = last_review(image_key(image))
    assert found is not None
    same(session, found.session)


def test_review_lies_beside_the_labels_where_it_can(labels, table, tmp_path):
    file = tmp_path / "a_labels.tif"
    place = review_place("", file)
    assert place == tmp_path / "a_review"
    ReviewFolder.create(place, ReviewSession(labels, table))
    assert find_review(labels, "", file) is not None


def test_key_is_of_the_values(image):
    assert image_key(image) == image_key(image.astype(">u2"))
    assert image_key(image) != image_key(image + 1)
    assert image_key(image) != image_key(image.reshape(20, 80))


# ---------------------------------------------------------------- killed, for real

_REVIEWER = """
import sys
import numpy as np
from pathlib import Path
from napari_pffnet.review.store import ReviewFolder
session = ReviewFolder(Path(sys.argv[1])).open()
rng = np.random.default_rng(int(sys.argv[2]))
print("ready", flush=True)
for i in range(100_000):
    alive = session.table.loc[session.table["area"] > 0, "label"].to_list()
    turn = rng.integers(5)
    if turn == 0 and alive:
        session.accept(int(rng.choice(alive)))
    elif turn == 1 and len(alive) > 1:
        session.reject(int(rng.choice(alive)))
    elif turn == 2:
        session.undo()
    elif turn == 3:
        session.redo()
    else:
        y, x = rng.integers(0, 36, 2)
        session.labels[y : y + 4, x : x + 4] = len(session.table) + 1
        session.painted()
    print(len(list((Path(sys.argv[1]) / "history").glob("[0-9]*.json"))), flush=True)
"""

# Kills itself at the n-th of the calls by which a file is written.
_KILLER = """
import os, signal
calls = 0
def deadly(call):
    def wrapped(*args, **kwargs):
        global calls
        calls += 1
        if calls == AT:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*args, **kwargs)
    return wrapped
for name in ("fsync", "chmod", "replace"):
    setattr(os, name, deadly(getattr(os, name)))
"""


def reviewer(code: str, folder: ReviewFolder, seed: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, str(folder.path), str(seed)]
    environment = {**os.environ, "PYTHONPATH": str(SRC)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def check_whole(folder: ReviewFolder, said: list[str]) -> None:
    """All steps that were told are there, and the table is that of the labels."""
    read = ReviewFolder(folder.path)
    steps = len(list(read.history()))
    assert steps - int(said[-1] if said[-1] != "ready" else 0) in (0, 1)
    found = find_review(read.start()[0], read.header.image_key)
    assert found is not None
    assert found.folder.path == folder.path
    session = found.session
    areas = np.bincount(session.labels.ravel(), minlength=len(session.table) + 1)
    assert session.table["area"].tolist() == areas[1:].tolist()
    session.accept(int(np.flatnonzero(areas[1:])[0]) + 1)


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL on Windows")
@pytest.mark.parametrize("after", [0.02, 0.3])
def test_review_killed_at_any_time_is_whole(folder, after):
    with reviewer(_REVIEWER, folder, seed=int(after * 100)) as process:
        assert process.stdout is not None
        said = [process.stdout.readline().strip()]
        time.sleep(after)
        process.send_signal(signal.SIGKILL)
        said += process.stdout.read().split()
    check_whole(folder, said)


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL on Windows")
@pytest.mark.parametrize("call", [10, 11, 12])
def test_review_killed_within_a_step_is_whole(folder, call):
    code = _KILLER.replace("AT", str(call)) + _REVIEWER
    with reviewer(code, folder, seed=call) as process:
        assert process.stdout is not None
        said = process.stdout.read().split()
    assert process.returncode == -signal.SIGKILL
    check_whole(folder, said)
    assert len(list((folder.path / "history").glob(".*"))) <= 1
