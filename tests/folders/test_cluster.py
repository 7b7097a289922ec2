"""Images and tiles through a real cluster of two worker processes."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
import tifffile

from napari_pffnet.cli import main
from napari_pffnet.config import ClusterConfig, OutputConfig, SegmentConfig
from napari_pffnet.files import hash_file
from napari_pffnet.folders import (
    ImageDone,
    ImageFailed,
    ImageSkipped,
    Waiting,
    plan_files,
    segment_files_on_cluster_iter,
)
from napari_pffnet.folders.cluster import connected
from napari_pffnet.folders.cluster_run import share_tiles
from napari_pffnet.folders.cluster_worker import FileArray, ModelSource, prepare
from napari_pffnet.generators import finish
from napari_pffnet.segmentation.run import find_iter, view_image

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
CONFIG = SegmentConfig(tile=0, diameter=28, score_threshold=0.3)
RESUME = OutputConfig(resume=True)


def results(folder):
    """Return what the files of images hold, but for the time that they took."""
    names = [p.name for p in folder.glob("[!.]*") if p.suffix != ".json"]
    table = pd.read_csv(folder / "summary.csv").drop(columns="seconds")
    found = {name: (folder / name).read_bytes() for name in names}
    return found | {"summary.csv": table.to_csv()}


def our_workers():
    """Return the worker processes that this process has started."""
    children = psutil.Process().children(recursive=True)
    return [p for p in children if "spawn_main" in " ".join(p.cmdline())]


@contextmanager
def scheduler_of_others(environment, workers, *options):
    """Start a scheduler and workers by hand, as an administrator would.

    Gives its address and its processes, the scheduler first.
    """
    # Free now, so nobody has it in a moment.
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    dask = [sys.executable, "-m", "distributed.cli.dask_scheduler"]
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", address]
    begun = []

    def begin(*command):
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        begun.append(subprocess.Popen(command, env=environment, **quiet))

    try:
        begin(*dask, "--host", "127.0.0.1", "--port", str(port), "--no-dashboard")
        for _ in range(workers):
            begin(*worker, "--nthreads", "1", "--no-dashboard", *options)
        yield address, begun
    finally:
        for process in begun:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def environment():
    return os.environ | {
        "PYTHONPATH": str(Path(__file__).parents[2] / "src"),
        "OMP_NUM_THREADS": "1",
    }


@pytest.fixture(scope="module")
def others(environment):
    """The address of a cluster that is not ours."""
    with scheduler_of_others(environment, 2, "--no-nanny") as (address, _):
        yield address


@pytest.fixture
def many(images):
    """A folder of twelve images."""
    for number in range(3, 12):
        copy = images[number % 3].with_name(f"d{number}.png")
        copy.write_bytes(images[number % 3].read_bytes())
    return images[0].parent


@pytest.fixture
def on_cluster(tiny_checkpoint, out):
    """Return the steps of a run on a cluster."""

    def steps(paths, address, output=None, config=CONFIG, **options):
        plan = plan_files(paths, out, config, output)
        cluster = ClusterConfig(scheduler=address, **options)
        return segment_files_on_cluster_iter(
            plan, tiny_checkpoint, cluster, device="cpu", threads=1
        )

    return steps


def followed(steps):
    told = []
    while True:
        try:
            told.append(next(steps))
        except StopIteration as stop:
            return told, stop.value


# ---------------------------------------------------------------- the same results


def test_a_cluster_gives_the_files_of_one_process(
    segment, many, out, others, on_cluster
):
    assert segment(many, "--threads", "1", "--quiet") == 0
    expected = results(out)
    out.rename(out.with_name("one"))
    paths = sorted(many.iterdir())
    steps, result = followed(on_cluster(paths, others))
    assert results(out) == expected
    done = [step for step in steps if not isinstance(step, Waiting)]
    assert [type(step) for step in done] == [ImageDone] * 12
    assert [step.position for step in done] == list(range(1, 13))
    assert [record.image for record in result.records] == list(map(str, paths))
    assert not list(out.glob(".*"))


def test_what_is_done_is_skipped_and_an_image_that_fails_stops_nothing(
    images, out, others, on_cluster
):
    followed(on_cluster(images[:1], others))
    images[1].write_bytes(b"no picture")
    steps, result = followed(on_cluster(images, others, RESUME))
    kinds = {
        step.place.job.image: type(step)
        for step in steps
        if not isinstance(step, Waiting)
    }
    assert kinds == dict(
        zip(images, (ImageSkipped, ImageFailed, ImageDone), strict=True)
    )
    assert list(result.failures) == [str(images[1])]
    assert (result.skipped, len(result.records)) == (1, 2)


def test_relative_paths_mean_the_same_on_every_worker(
    images, monkeypatch, others, words, capsys
):
    monkeypatch.chdir(images[0].parent)
    command = words("a.png", "--scheduler", others)
    command[command.index("--out") + 1] = "out"
    assert main(command) == 0
    assert "a.png: " in capsys.readouterr().out
    assert (images[0].parent / "out" / "a_run.json").exists()


def test_tiles_on_workers_are_those_found_here(tmp_path, others, tiny_checkpoint):
    """Not over the bound of large images: only what travels matters here."""
    seed = np.random.default_rng(0)
    pixels = seed.integers(0, 255, (300, 420), np.uint8)
    pixels[:, 300:] = 7
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, pixels)
    source = ModelSource(tiny_checkpoint, hash_file(tiny_checkpoint), "cpu", 1)
    config = CONFIG.model_copy(update={"tile": 160, "axes": "YX"})
    array = FileArray(path, hash_file(path), pixels.shape)

    def masks(wrap=None):
        view = view_image(array, source.load(), config)
        search = finish(find_iter(view, source.load(), config, wrap=wrap))
        return search.found.instances

    here = masks()
    with connected(ClusterConfig(scheduler=others)) as cluster:
        cluster.check_workers(prepare, source)
        there = masks(share_tiles(cluster, source, config.precision))
    assert len(here.scores) > 10
    for name in ("boxes", "offsets", "class_ids", "scores", "qualities", "masks"):
        np.testing.assert_array_equal(getattr(there, name), getattr(here, name))


# ---------------------------------------------------------------- workers that die


@pytest.mark.slow
def test_a_worker_that_is_killed_changes_nothing(
    segment, many, out, on_cluster, tiny_checkpoint
):
    assert segment(many, "--threads", "1", "--quiet") == 0
    expected = results(out)
    out.rename(out.with_name("one"))
    plan = plan_files(sorted(many.iterdir()), out, CONFIG)
    steps = segment_files_on_cluster_iter(
        plan, tiny_checkpoint, ClusterConfig(workers=2), device="cpu", threads=1
    )
    while not isinstance(next(steps), ImageDone):
        pass
    workers = our_workers()
    assert len(workers) == 2
    workers[0].send_signal(signal.SIGKILL)
    _, result = followed(steps)
    assert not result.failures
    assert results(out) == expected
    assert not list(out.glob(".*"))
    assert not our_workers()


@pytest.mark.slow
def test_an_image_that_kills_every_worker_fails_alone(
    images, out, tmp_path, environment, on_cluster
):
    lethal = tmp_path / "lethal.py"
    lethal.write_text(
        "import os, signal\n"
        "from napari_pffnet.folders import image_task\n"
        "opened = image_task.open_image\n"
        "def open_or_die(path):\n"
        "    if path.name == 'b.png':\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return opened(path)\n"
        "def dask_setup(worker):\n"
        "    image_task.open_image = open_or_die\n"
    )
    # One death is enough to be suspected; nannies start new workers.
    environment = environment | {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0"}
    options = ("--preload", str(lethal), "--nanny")
    with scheduler_of_others(environment, 1, *options) as (address, _):
        _, result = followed(on_cluster(images, address))
    assert [Path(r.image).name for r in result.records] == ["a.png", "c.png"]
    ((path, sentence),) = result.failures.items()
    assert path == str(images[1])
    assert "died" in sentence


def test_a_scheduler_that_is_lost_ends_the_run_in_a_sentence(
    many, out, program, words, environment
):
    with scheduler_of_others(environment, 2, "--no-nanny") as (address, begun):
        process = subprocess.Popen(
            [*program, *words(many, "--scheduler", address)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        process.stdout.readline()
        begun[0].kill()
        _, error = process.communicate(timeout=300)
    assert process.returncode == 1
    assert f"the scheduler {address} is lost" in error
    assert "--resume" in error
    assert "Traceback" not in error
    assert len(pd.read_csv(out / "summary.csv")) >= 1


def test_a_cluster_without_workers_is_told_in_a_sentence(
    images, out, words, environment, capsys
):
    with scheduler_of_others(environment, 0) as (address, _):
        command = words(images[0], "--scheduler", address, "--worker-timeout", "2")
        assert main([*command, "--quiet"]) == 1
    assert "no worker for 2 seconds" in capsys.readouterr().err
    assert not out.exists()


# ---------------------------------------------------------------- what cannot begin


def test_another_version_is_told_before_the_work_begins(
    images, out, tmp_path, words, environment, capsys
):
    older = tmp_path / "older.py"
    older.write_text("import napari_pffnet\nnapari_pffnet.__version__ = '0.0.1'\n")
    options = ("--no-nanny", "--preload", str(older))
    with scheduler_of_others(environment, 1, *options) as (address, _):
        assert main([*words(images[0], "--scheduler", address), "--quiet"]) == 2
    assert "has napari-pffnet 0.0.1, here it is" in capsys.readouterr().err
    assert not out.exists()


def test_a_model_that_a_worker_cannot_load_is_told(
    images, out, others, tiny_checkpoint
):
    plan = plan_files(images, out)
    steps = segment_files_on_cluster_iter(
        plan, tiny_checkpoint, ClusterConfig(scheduler=others), device="nonsense"
    )
    with pytest.raises(ValueError, match=r"worker tcp.* cannot begin: .*nonsense"):
        next(steps)
    assert not out.exists()


def test_no_scheduler_is_told_in_a_sentence(images, words, capsys):
    command = words(images[0], "--scheduler", "127.0.0.1:1", "--worker-timeout", "1")
    assert main([*command, "--quiet"]) == 2
    assert "No dask scheduler answers at 127.0.0.1:1" in capsys.readouterr().err


def test_a_missing_package_names_what_to_install(images, words, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert main([*words(images[0], "--workers", "2"), "--quiet"]) == 2
    assert "pip install 'napari-pffnet[cluster]'" in capsys.readouterr().err


def test_workers_of_two_kinds_are_refused(images, words, capsys):
    assert main(words(images[0], "--workers", "2", "--scheduler", "a:1")) == 2
    assert "--scheduler or --workers" in capsys.readouterr().err


# ---------------------------------------------------------------- Ctrl-C, large images


@pytest.mark.slow
def test_ctrl_c_ends_all_processes_and_keeps_what_is_done(
    program, words, many, out, environment
):
    for number in range(60):
        (many / f"e{number}.png").write_bytes((many / "a.png").read_bytes())
    process = subprocess.Popen(
        [*program, *words(many, "--workers", "2")],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    process.stdout.readline()
    begun = psutil.Process(process.pid).children(recursive=True)
    # As a terminal does it: all processes hear of it.
    os.killpg(process.pid, signal.SIGINT)
    _, error = process.communicate(timeout=300)
    assert process.returncode == 130
    assert "--resume" in error
    assert "Traceback" not in error
    assert len(begun) >= 2
    assert not psutil.wait_procs(begun, timeout=10)[1]
    assert 1 <= len(pd.read_csv(out / "summary.csv")) < 72


@pytest.mark.slow
def test_a_large_image_is_shared_and_its_workers_may_die(
    program, words, tmp_path, out, environment
):
    pixels = np.full((8200, 8200), 20, np.uint8)
    y, x = np.mgrid[:1500, :1500]
    pixels[1000:2500, 1000:2500] += ((y // 20 + x // 20) % 2 * 150).astype(np.uint8)
    path = tmp_path / "large.tif"
    tifffile.imwrite(path, pixels)
    command = [*program, *words(path, "--threads", "1", "--quiet", "--format", "csv")]
    command[command.index("--tile") + 1] = "512"
    subprocess.run(command, env=environment, check=True)
    expected = pd.read_csv(out / "large_objects.csv")
    out.rename(out.with_name("one"))
    process = subprocess.Popen([*command, "--workers", "2"], env=environment)
    while not list(out.glob(".tiles-large/*.npz")):
        assert process.poll() is None
        time.sleep(0.05)
    children = psutil.Process(process.pid).children(recursive=True)
    workers = [p for p in children if "spawn_main" in " ".join(p.cmdline())]
    workers[0].kill()
    assert process.wait() == 0
    found = pd.read_csv(out / "large_objects.csv")
    assert len(found) > 20
    pd.testing.assert_frame_equal(found, expected)
    assert not list(out.glob(".*"))
