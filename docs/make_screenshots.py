"""Drive a real napari window and keep what it shows for the documentation.

``xvfb-run -a -s "-screen 0 1600x1000x24" python docs/make_screenshots.py`` writes
``segment.png``, ``review.png`` and ``train.png`` into ``docs/images``; with names of
steps (``segment review train``) only these.  Where napari shows up on a screen,
``xvfb-run`` is not needed.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import imageio.v3 as iio
import napari
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication

if TYPE_CHECKING:
    from collections.abc import Callable

IMAGES = Path(__file__).parent / "images"
PLUGIN = "napari-pffnet"
PATIENCE = 1800.0
"""Seconds that a job may take on a slow computer."""


def wait(seconds: float) -> None:
    """Let the window live for a while."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.01)


def wait_until(is_so: Callable[[], bool]) -> None:
    """Let the window live until something is so."""
    end = time.monotonic() + PATIENCE
    while not is_so():
        if time.monotonic() > end:
            raise TimeoutError(f"Nothing has happened for {PATIENCE:.0f} seconds.")
        wait(0.05)


def open_window(sample: str) -> napari.Viewer:
    """Open a sample in a window of the size of a laptop's screen."""
    viewer = napari.Viewer(title="napari")
    viewer.theme = "dark"
    viewer.window.resize(1440, 900)
    viewer.open_sample(PLUGIN, sample)
    viewer.layers.selection.active = viewer.layers[0]
    return viewer


def dock(viewer: napari.Viewer, name: str) -> Any:
    """Open one of our widgets."""
    area, widget = viewer.window.add_plugin_dock_widget(PLUGIN, name)
    area.parent().resizeDocks([area], [380], Qt.Orientation.Horizontal)
    wait(1)
    return widget


def keep(viewer: napari.Viewer, name: str) -> None:
    """Write what the window shows."""
    wait(1)
    picture = viewer.screenshot(canvas_only=False, flash=False)
    iio.imwrite(IMAGES / f"{name}.png", picture[..., :3], compress_level=9)


def segment(viewer: napari.Viewer) -> Any:
    """Click Segment and wait for the objects."""
    widget = dock(viewer, "Segment")
    count = len(viewer.layers)
    widget.segment_button.click()
    wait_until(lambda: len(viewer.layers) > count and not widget.progress.isVisible())
    return widget


def show_segment() -> None:
    """Show objects coloured by their quality."""
    viewer = open_window("fluorescence")
    widget = segment(viewer)
    colors = widget.colors.list
    colors.setCurrentIndex(colors.findData("quality"))
    keep(viewer, "segment")
    viewer.close()


def show_review() -> None:
    """Show a review under way: the worst object in the middle."""
    viewer = open_window("fluorescence")
    segment(viewer)
    viewer.window.remove_dock_widget("all")
    widget = dock(viewer, "Review")
    widget.review_button.click()
    wait(1)
    for action in ("accept", "reject", "next", "next", "next"):
        widget.objects.buttons[action].click()
        wait(0.2)
    orders, *_, trust = widget.folded
    orders.setOpen(False)
    trust.setOpen(True)
    keep(viewer, "review")
    viewer.close()


def show_train() -> None:
    """Show a training under way on true labels."""
    viewer = open_window("histology")
    widget = dock(viewer, "Train")
    widget.form.steps.setValue(80)
    widget.train_button.click()
    bar = widget.run_view.progress
    wait_until(lambda: bar.maximum() > 0 and bar.value() > 0.7 * bar.maximum())
    keep(viewer, "train")
    widget.train_button.click()
    wait_until(lambda: widget.train_button.text() == "Train")
    viewer.close()


STEPS = {"segment": show_segment, "review": show_review, "train": show_train}


def main() -> None:
    """Parse the command line and take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("steps", nargs="*", help=", ".join(STEPS))
    steps = parser.parse_args().steps or list(STEPS)
    # Whoever takes the pictures keeps her own models, choices and reviews.
    with tempfile.TemporaryDirectory() as home:
        os.environ["NAPARI_PFFNET_HOME"] = home
        os.environ["NAPARI_PFFNET_SETTINGS"] = str(Path(home) / "settings.json")
        for step in steps:
            STEPS[step]()


if __name__ == "__main__":
    main()
