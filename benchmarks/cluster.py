"""Two workers of dask against two processes without dask, images per second.

Both sides segment copies of the bundled image with one CPU thread a process: the
workers by ``--workers 2``, the others each its half of the images, through the same
code.  The clock runs from the first image that is done to the last one, and counts
those between, so that the starts of the processes do not count.

Bar: the workers reach at least 0.9 of what the processes reach.

    python benchmarks/cluster.py
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from napari_pffnet.sample_data import sample_path

BAR = 0.9
PROCESSES = 2


def images_per_second(out: Path) -> float:
    """Return the speed of a run, from when each record was written."""
    times = sorted(path.stat().st_mtime for path in out.glob("*_run.json"))
    # As many as there are processes come first at once.
    return (len(times) - PROCESSES) / (times[-1] - times[PROCESSES - 1])


def start(images: list[Path], out: Path, *more: str) -> subprocess.Popen[bytes]:
    words = ["-m", "napari_pffnet.cli", "segment", *map(str, images)]
    options = ["--out", str(out), "--threads", "1", "--device", "cpu", "--quiet"]
    # What a library computes beside torch takes no second core either.
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, *words, *options, *more], env=environment)


def measure(images: list[Path], folder: Path, side: str) -> float:
    """Run one side."""
    if side == "dask":
        runs = [start(images, folder / "out", "--workers", str(PROCESSES))]
    else:
        halves = [images[i::PROCESSES] for i in range(PROCESSES)]
        runs = [start(half, folder / f"{i}") for i, half in enumerate(halves)]
    if sum(run.wait() for run in runs):
        sys.exit(f"{side} failed")
    for part in folder.glob("[0-9]"):
        shutil.copytree(part, folder / "out", dirs_exist_ok=True)
    return images_per_second(folder / "out")


def main() -> None:
    """Print the speeds; exit with 1 where the bar does not hold."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--images", type=int, default=24)
    options.add_argument("--rounds", type=int, default=3, help="of both sides in turn")
    chosen = options.parse_args()
    speeds: dict[str, list[float]] = {"processes": [], "dask": []}
    with TemporaryDirectory() as name:
        images = [Path(name) / f"{i}.png" for i in range(chosen.images)]
        for image in images:
            shutil.copy(sample_path("fluorescence"), image)
        for number in range(chosen.rounds):
            for side, found in speeds.items():
                folder = Path(name) / f"{side}{number}"
                folder.mkdir()
                found.append(measure(images, folder, side))
    print(json.dumps(speeds))
    ratio = statistics.median(speeds["dask"]) / statistics.median(speeds["processes"])
    print(f"dask / processes: {ratio:.3f} (bar {BAR})")
    sys.exit(ratio < BAR)


if __name__ == "__main__":
    main()
