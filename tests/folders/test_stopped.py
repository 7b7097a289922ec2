"""Runs that are killed, stopped, or meet a folder that takes no more files."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest
import tifffile

from napari_pffnet.cli import main
from napari_pffnet.folders.record import read_records

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")

# Kills itself as it is about to put the n-th file in place: within a temporary
# folder, from there into the folder of the results, or a table.
KILLED = """
import os, signal, sys
left, replace = int(sys.argv.pop(1)), os.replace

def replace_or_die(source, target, **places):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    replace(source, target, **places)

os.replace = replace_or_die
from napari_pffnet.cli import main
sys.exit(main())
"""


def results(folder):
    """Return the files of the images but for the records, and the table of all."""
    names = [p.name for p in folder.glob("[!.]*") if p.suffix != ".json"]
    table = pd.read_csv(folder / "summary.csv").drop(columns="seconds")
    found = {name: (folder / name).read_bytes() for name in names}
    return found | {"summary.csv": table.to_csv()}


def check_whole(folder):
    """See to it that every file is whole, and what has a record complete."""
    for path in folder.glob("*.tif"):
        tifffile.imread(path)
    for record in read_records(folder).values():
        assert all((folder / name).exists() for name in record.files)
    for path in folder.glob("*.json"):
        json.loads(path.read_text())


@pytest.fixture
def reference(segment, images, out):
    """The results of a run that nothing has stopped."""
    assert segment(images[0].parent, "--quiet") == 0
    whole = results(out)
    out.rename(out.with_name("reference"))
    return whole


# Of an image: 5 files made whole, then 5 put in place, the record last.
@pytest.mark.parametrize("moment", [5, 8, 17, 32])
def test_after_kill_9_resume_ends_with_the_same_result(
    moment, segment, words, images, out, reference, environment
):
    command = [sys.executable, "-c", KILLED, str(moment), *words(images[0].parent)]
    killed = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    check_whole(out)
    assert list(out.glob(".part-*"))

    assert segment(images[0].parent, "--resume", "--quiet") == 0

    assert not list(out.glob(".*"))
    assert results(out) == reference
    assert len(json.loads((out / "run.json").read_text())["images"]) == 3


def test_a_killed_run_that_was_to_replace_results_is_finished(
    segment, words, images, out, environment
):
    """The new files are put beside each other, not beside the old ones."""
    assert segment(images[0], "--quiet") == 0
    again = words(images[0], "--overwrite", "--precision", "float32")
    command = [sys.executable, "-c", KILLED, "8", *again]
    assert subprocess.run(command, env=environment).returncode == -signal.SIGKILL
    assert not (out / "a_run.json").exists()

    resumed = (images[0], "--resume", "--quiet", "--precision", "float32")
    assert segment(*resumed) == 0

    record = read_records(out)["a"]
    assert record.options.precision == "float32"
    assert not list(out.glob(".*"))


def test_leftovers_do_not_replace_what_was_written_after_them(
    segment, words, images, out, environment
):
    command = [sys.executable, "-c", KILLED, "8", *words(images[0])]
    assert subprocess.run(command, env=environment).returncode == -signal.SIGKILL
    assert segment(images[0], "--overwrite", "--quiet", "--precision", "float32") == 0
    before = results(out)

    assert segment(images[0], "--resume", "--quiet", "--precision", "float32") == 0

    assert results(out) == before
    assert not list(out.glob(".*"))


def test_ctrl_c_keeps_what_is_done_and_says_how_to_go_on(
    program, words, images, out, environment
):
    for number in range(60):
        (images[0].parent / f"d{number}.png").write_bytes(images[0].read_bytes())
    process = subprocess.Popen(
        [*program, *words(images[0].parent)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 300
    while not (out / "a_run.json").exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=300)
    assert process.returncode == 130
    assert "--resume" in error
    assert "Traceback" not in error
    check_whole(out)
    assert not list(out.glob(".*"))
    table = pd.read_csv(out / "summary.csv")
    assert 1 <= len(table) == len(read_records(out)) < 63


# ---------------------------------------------------------------- no more files


@contextlib.contextmanager
def mounted(place, options):
    """Mount a file system in memory; skip where that is not allowed."""
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this user may not mount a small file system")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def check_sentence(error, *said):
    """See to it that a failure is told in one line."""
    (line,) = error.strip().splitlines()
    assert line.startswith("pffnet: ")
    assert "Traceback" not in line
    for word in said:
        assert word in line


def test_a_full_disk_stops_the_run_and_leaves_whole_results(
    segment, images, out, capsys
):
    with mounted(out, "size=48k"):
        assert segment(images[0].parent, "--quiet") == 1
        check_sentence(capsys.readouterr().err, str(out), "No space left", "--resume")
        check_whole(out)
        assert not list(out.glob(".*"))
        done = read_records(out)
        assert 1 <= len(done) < 3
        assert len(list(out.glob("*_labels.tif"))) == len(done)


@pytest.mark.skipif(sys.platform != "linux", reason="limits as Linux has them")
def test_a_limit_of_the_size_of_files_stops_the_run(
    program, words, images, out, environment
):
    import resource

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

    command = [*program, *words(images[0].parent, "--quiet")]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, preexec_fn=limit
    )
    assert done.returncode == 1, done.stderr
    check_sentence(done.stderr, "File too large", str(out))
    assert {path.name for path in out.iterdir()} <= {"summary.csv", "run.json"}


def test_a_folder_that_is_read_only_is_told_in_a_sentence(segment, images, out, capsys):
    if os.geteuid():
        out.mkdir()
        out.chmod(0o500)
        assert segment(images[0].parent, "--quiet") == 1
    else:
        with mounted(out, "ro"):
            assert segment(images[0].parent, "--quiet") == 1
    check_sentence(capsys.readouterr().err, "cannot be written", str(out))


def test_a_folder_that_is_a_file_is_told_in_a_sentence(segment, images, out, capsys):
    out.write_text("precious")
    assert segment(images[0].parent, "--quiet") == 1
    check_sentence(capsys.readouterr().err, "cannot be written", str(out))
    assert out.read_text() == "precious"


def test_a_mistake_is_no_reason_to_make_the_folder(words, images, out, capsys):
    assert main([*words(images[0].parent), "--resume", "--threads", "-1"]) == 2
    check_sentence(capsys.readouterr().err, "--threads -1")
    assert not out.exists()
