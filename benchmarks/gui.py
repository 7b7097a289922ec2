"""Measure how smoothly the window of napari runs while the child computes.

Opens a real window and clicks the real buttons: run it on a machine that does nothing
else, ``xvfb-run -a python benchmarks/gui.py`` where there is no screen.  A stall is the
time between two ticks of a timer of 10 ms in the event loop of the window.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

# Before napari and the widgets read them: the user's own settings stay as they are.
os.environ["NAPARI_CONFIG"] = ""
os.environ["NAPARI_PFFNET_SETTINGS"] = str(Path(tempfile.mkdtemp()) / "settings.json")

import napari
from napari.layers import Layer
from npe2 import PluginManager, PluginManifest
from qtpy.QtCore import QEventLoop, QObject, Qt, QTimer

import napari_pffnet
from napari_pffnet.sample_data import load_sample

if TYPE_CHECKING:
    # Loading them is a part of opening a widget.
    from napari_pffnet._qt.jobs import Job
    from napari_pffnet._qt.segment_widget import SegmentWidget
    from napari_pffnet.messages import Progress

PLUGIN = "napari-pffnet"
SETTLE_MS = 1500
"""What a change of the layers still causes happens within that time."""


class Stalls(QObject):
    """The times between the ticks of a timer in the event loop."""

    def __init__(self) -> None:
        super().__init__()
        self._ticks = [time.perf_counter()]
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._on_tick)
        self._timer.start(10)

    def _on_tick(self) -> None:
        self._ticks.append(time.perf_counter())

    def between(self, start: float, end: float) -> np.ndarray:
        """Return those that touch a span of time, in milliseconds."""
        ticks = np.array(self._ticks)
        touches = (ticks[1:] > start) & (ticks[:-1] < end)
        return np.diff(ticks)[touches] * 1000


@dataclass
class Run:
    """One click on Segment; moments in seconds."""

    clicked: float = 0.0
    computes: float = 0.0
    advances: float = 0.0
    shows: float = 0.0
    progress: list[Progress] = field(default_factory=list)


@dataclass(frozen=True)
class Bar:
    """What was measured, and what it may be at most."""

    name: str
    value: float
    most: float
    unit: str = "ms"

    def __str__(self) -> str:
        verdict = "ok" if self.value <= self.most else "MISSED"
        return (
            f"{self.name:48} {self.value:8.2f} {self.unit:2}  "
            f"(at most {self.most:g})  {verdict}"
        )


def wait(milliseconds: int) -> None:
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


def open_widgets(viewer: napari.Viewer) -> tuple[SegmentWidget, list[Bar]]:
    """Dock the three widgets; return the first."""
    plugins = PluginManager.instance()
    plugins.discover()
    if PLUGIN not in plugins:
        manifest = Path(napari_pffnet.__file__).with_name("napari.yaml")
        plugins.register(PluginManifest.from_file(manifest))
    widgets, bars = [], []
    for name in ("Segment", "Review", "Train"):
        start = time.perf_counter()
        _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, name, tabify=True)
        napari.qt.get_qapp().processEvents()
        bars.append(Bar(f"open {name}", 1000 * (time.perf_counter() - start), 500))
        widgets.append(widget)
    return widgets[0], bars


def click(widget: SegmentWidget, run: Run) -> Job:
    """Click on Segment and note what happens when."""

    def note(step: Progress) -> None:
        now = time.perf_counter()
        run.progress.append(step)
        if step.text == "" and not run.computes:
            run.computes = now
        if step.done and not run.advances:
            run.advances = now

    from napari_pffnet._qt.jobs import jobs

    run.clicked = time.perf_counter()
    widget.segment_button.click()
    job = jobs().running
    if job is None:
        raise RuntimeError(f"Segment did not start: {widget.status.text()}")
    job.progressed.connect(note)
    return job


def segment(viewer: napari.Viewer, widget: SegmentWidget) -> tuple[Run, list[Layer]]:
    """Segment the image, and take the result's layers away again."""
    from napari_pffnet._qt.jobs import Done

    run, outcome, loop = Run(), [], QEventLoop()

    def note_layer() -> None:
        run.shows = run.shows or time.perf_counter()

    viewer.layers.events.inserting.connect(note_layer)
    job = click(widget, run)
    job.finished.connect(outcome.append)
    job.finished.connect(loop.quit)
    loop.exec()
    wait(SETTLE_MS)
    viewer.layers.events.inserting.disconnect(note_layer)
    if not isinstance(outcome[0], Done):
        raise RuntimeError(f"Segment failed: {outcome[0]}")
    made = list(viewer.layers)[1:]
    del viewer.layers[1:]
    wait(SETTLE_MS)
    return run, made


def cancel(widget: SegmentWidget) -> float:
    """Segment and cancel in the middle; return the seconds that this takes."""
    run, loop = Run(), QEventLoop()
    job = click(widget, run)
    job.progressed.connect(lambda step: loop.quit() if step.done else None)
    loop.exec()
    job.finished.connect(loop.quit)
    start = time.perf_counter()
    widget.segment_button.click()
    if job.is_running:
        loop.exec()
    seconds = time.perf_counter() - start
    wait(SETTLE_MS)
    return seconds


def add_without_job(viewer: napari.Viewer, made: list[Layer], stalls: Stalls) -> float:
    """Add the same layers once more; return the longest stall, milliseconds."""
    parts = [layer.as_layer_data_tuple() for layer in made]
    copies = [(data.copy(), meta, kind) for data, meta, kind in parts]
    wait(SETTLE_MS)
    start = time.perf_counter()
    for data, meta, kind in copies:
        viewer.add_layer(Layer.create(data, meta, kind))
    wait(SETTLE_MS)
    longest = float(stalls.between(start, time.perf_counter()).max())
    del viewer.layers[1:]
    wait(SETTLE_MS)
    return longest


def review(viewer: napari.Viewer) -> float:
    """Go through some of 5,184 objects; return the median step, milliseconds."""
    ids = np.arange(72 * 72).reshape(72, 72) + 1
    labels = np.zeros((1440, 1440), np.int32)
    labels.reshape(72, 20, 72, 20)[:, 3:17, :, 3:17] = ids[:, None, :, None]
    viewer.add_labels(labels)
    _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "Review")
    widget.review_button.click()
    wait(SETTLE_MS)
    steps = []
    for name in ["next"] * 10 + ["accept"] * 10 + ["reject"] * 10:
        start = time.perf_counter()
        widget.objects.buttons[name].click()
        steps.append(1000 * (time.perf_counter() - start))
        wait(50)
    return median(steps)


def measure(viewer: napari.Viewer, repeats: int) -> list[Bar]:
    stalls = Stalls()
    widget, bars = open_widgets(viewer)
    segment(viewer, widget)  # the first one loads libraries and compiles shaders
    runs = [segment(viewer, widget) for _ in range(repeats)]
    cancels = [cancel(widget) for _ in range(repeats)]
    made = runs[-1][1]
    viewer.window.remove_dock_widget("all")
    alone = median(add_without_job(viewer, made, stalls) for _ in range(repeats))

    during = np.concatenate([stalls.between(r.advances, r.shows)[:-1] for r, _ in runs])
    at_start = [stalls.between(r.clicked, r.advances).max() for r, _ in runs]
    settled = SETTLE_MS / 1000
    at_end = [stalls.between(r.shows, r.shows + settled).max() for r, _ in runs]
    warm = [1000 * (r.computes - r.clicked) for r, _ in runs]
    print(f"Adding the layers without a job stalls for {alone:.0f} ms (median).")
    return [
        *bars,
        Bar("longest stall while a job runs", during.max(), 100),
        Bar("99th percentile while a job runs", np.percentile(during, 99), 40),
        Bar("stall at the start over layers alone", median(at_start) / alone, 1.2, "x"),
        Bar("stall at the end over layers alone", median(at_end) / alone, 1.2, "x"),
        Bar("from a second click to computing (longest)", max(warm), 300),
        Bar("cancel (longest)", 1000 * max(cancels), 1000),
        Bar("next or verdict among 5,184 objects (median)", review(viewer), 100),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=1024, help="side of the image")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    image = load_sample("fluorescence").image
    times = -(-options.size // min(image.shape[:2]))
    image = np.tile(image, (times, times))[: options.size, : options.size]
    viewer = napari.Viewer(show=True)
    viewer.add_image(image, name="cells")
    wait(SETTLE_MS)
    bars = measure(viewer, options.repeats)
    print(*bars, sep="\n")
    print("torch in the window:", "LOADED" if "torch" in sys.modules else "not loaded")
    viewer.close()
    return int(any(bar.value > bar.most for bar in bars) or "torch" in sys.modules)


if __name__ == "__main__":
    sys.exit(main())
