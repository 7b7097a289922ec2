"""Measure two sides of a comparison, each in a fresh process of its own.

Time is the median of several runs.  Memory is the growth of the largest resident
size over the first run, after one warm-up with a small input: what the libraries
themselves take is loaded by then, what the task takes is not.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch

Task = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Cost:
    """Median seconds of a run, and MiB that the largest resident size grew by."""

    seconds: float
    mib: float


@dataclass(frozen=True, slots=True)
class Bars:
    """Largest allowed ratio of our cost to theirs; None where there is no bar."""

    time: float | None
    memory: float | None


def peak_mib() -> float:
    """Return the largest resident size of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(warm_up: Task, task: Task, repeats: int) -> Cost:
    """Run a task in this process."""
    warm_up()
    before = peak_mib()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        task()
        seconds.append(time.perf_counter() - start)
    return Cost(float(np.median(seconds)), peak_mib() - before)


def print_cost(cost: Cost) -> None:
    """Hand a cost to the process that asked for it."""
    print(json.dumps(asdict(cost)))


def measure_apart(
    script: str, arguments: Sequence[str], sides: Iterable[str], rounds: int
) -> list[Cost]:
    """Run ``script`` in fresh processes; return the median of each of its sides.

    The sides take turns: a machine that others share is not as fast for minutes.
    """
    costs: dict[str, list[Cost]] = {side: [] for side in sides}
    for _ in range(rounds):
        for side, measured in costs.items():
            measured.append(_measure_side(script, [*arguments, "--side", side]))
    return [
        Cost(
            float(np.median([c.seconds for c in measured])),
            float(np.median([c.mib for c in measured])),
        )
        for measured in costs.values()
    ]


def _measure_side(script: str, arguments: Sequence[str]) -> Cost:
    command = [sys.executable, script, *arguments]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return Cost(**json.loads(done.stdout.splitlines()[-1]))


def compare(name: str, ours: Cost, theirs: Cost, bars: Bars) -> bool:
    """Print two costs and their ratios; return whether the bars hold."""
    # torchvision enlarges the small input too: its warm-up may take all it will take.
    memory = ours.mib / theirs.mib if theirs.mib else math.inf
    ratios = (ours.seconds / theirs.seconds, memory)
    print(f"{name}")
    for side, cost in (("ours", ours), ("torchvision", theirs)):
        print(f"  {side:12} {cost.seconds:8.3f} s {cost.mib:9.1f} MiB")
    holds = True
    for kind, ratio, bar in zip(
        ("time", "memory"), ratios, (bars.time, bars.memory), strict=True
    ):
        verdict = "no bar" if bar is None else f"bar {bar}"
        print(f"  {kind + ' ratio':12} {ratio:8.4f} ({verdict})")
        holds &= bar is None or ratio <= bar
    return holds


def parser(description: str | None) -> argparse.ArgumentParser:
    """Return the options that all comparisons share."""
    options = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--side", help="measure this side alone, in this process")
    options.add_argument("--repeats", type=int, default=3, help="runs a process")
    options.add_argument("--rounds", type=int, default=1, help="processes a side")
    options.add_argument("--threads", type=int, default=torch.get_num_threads())
    return options
