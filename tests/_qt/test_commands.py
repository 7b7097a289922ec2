"""What is copied does the same without a window."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
import tifffile
from qtpy.QtGui import QGuiApplication

import napari_pffnet
from napari_pffnet import load_sample
from napari_pffnet._qt.segment_widget import SegmentWidget

if TYPE_CHECKING:
    from napari import Viewer
    from pytestqt.qtbot import QtBot

TIMEOUT = 300_000


def open_widget(viewer: Viewer) -> SegmentWidget:
    widget = SegmentWidget(viewer)
    viewer.window.add_dock_widget(widget)
    return widget


def segment(widget: SegmentWidget, qtbot: QtBot) -> None:
    widget.segment_button.click()
    qtbot.waitUntil(lambda: widget.segment_button.text() == "Segment", timeout=TIMEOUT)


def run_python(arguments: list[str], folder: Path) -> None:
    """Run Python in a process of its own, where torch may be loaded."""
    source = str(Path(napari_pffnet.__file__).parents[1])
    environment = os.environ | {"PYTHONPATH": source}
    command = [sys.executable, *arguments]
    subprocess.run(command, cwd=folder, env=environment, check=True)


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    """A small image in a file with a blank in its name."""
    path = tmp_path / "my cells.tif"
    tifffile.imwrite(path, load_sample("fluorescence").image[:128, :160])
    return path


def test_the_python_does_what_the_click_does(
    viewer: Viewer, qtbot: QtBot, cells: Path
) -> None:
    viewer.open(cells, plugin="napari")
    widget = open_widget(viewer)
    viewer.add_shapes([[[0, 40], [0, 160], [100, 160], [100, 40]]])
    widget.form.extent.setCurrentText("the selected rectangle")
    widget.form.diameter.setValue(24)
    widget.form.device.setValue("cpu")
    widget.thresholds.score.setValue(0.4)
    widget.thresholds.quality.setValue(0.5)

    widget.copy_as_python()
    code = QGuiApplication.clipboard().text()
    segment(widget, qtbot)

    code += "from tifffile import imwrite\nimwrite('labels.tif', labels)\n"
    run_python(["-c", f"{code}objects.to_csv('objects.csv')"], cells.parent)
    layer = viewer.layers["my cells instances"]
    assert layer.data.any()
    labels = tifffile.imread(cells.parent / "labels.tif")
    assert np.array_equal(labels, layer.data)
    quality = pd.read_csv(cells.parent / "objects.csv")["quality"]
    assert quality.to_list() == pytest.approx(layer.features["quality"].to_list()[1:])


def test_the_command_does_what_the_click_does(
    viewer: Viewer, qtbot: QtBot, cells: Path
) -> None:
    viewer.open(cells, plugin="napari")
    widget = open_widget(viewer)
    widget.form.diameter.setValue(24)
    widget.form.advanced.editor("tile").setValue(0)
    widget.thresholds.score.setValue(0.4)

    widget.copy_as_command()
    words = shlex.split(QGuiApplication.clipboard().text())
    segment(widget, qtbot)

    assert words[:3] == ["pffnet", "segment", str(cells)]
    run_python(["-m", "napari_pffnet.cli", *words[1:]], cells.parent)
    labels = tifffile.imread(cells.parent / "results" / "my cells_labels.tif")
    assert np.array_equal(labels, viewer.layers["my cells instances"].data)


def test_what_shows_nothing_is_said_and_can_be_searched(
    viewer: Viewer, qtbot: QtBot, tmp_path: Path
) -> None:
    noise = np.random.default_rng(0).normal(1000, 20, (80, 96)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "noise.tif", noise)
    viewer.open(tmp_path / "noise.tif", plugin="napari")
    widget = open_widget(viewer)
    segment(widget, qtbot)
    assert not viewer.layers["noise instances"].data.any()
    assert "“Advanced: All tiles”" in widget.status.text()

    widget.form.advanced.editor("all_tiles").setChecked(True)
    widget.copy_as_command()
    assert QGuiApplication.clipboard().text().endswith(" --all-tiles")


def test_the_command_of_a_folder_writes_what_is_ticked(
    viewer: Viewer, cells: Path
) -> None:
    widget = open_widget(viewer)
    widget.form.tabs.setCurrentIndex(1)
    widget.form.folder.images.setValue(str(cells.parent / "*.tif"))
    widget.form.advanced.editor("all_tiles").setChecked(True)
    for box in widget.form.folder.formats.values():
        box.setChecked(False)

    widget.copy_as_command()
    words = shlex.split(QGuiApplication.clipboard().text())
    run_python(["-m", "napari_pffnet.cli", *words[1:]], cells.parent)

    results = cells.parent / "results"
    assert (results / "my cells_overlay.png").exists()
    assert not list(results.glob("*_labels.tif"))
    record = json.loads((results / "my cells_run.json").read_text())
    assert record["options"]["all_tiles"] is True


@pytest.mark.parametrize("name", ["fluorescence", "histology"])
def test_samples_are_named(viewer: Viewer, name: str) -> None:
    viewer.open_sample("napari-pffnet", name)
    widget = open_widget(viewer)

    widget.copy_as_command()
    assert f"--sample {name}" in QGuiApplication.clipboard().text()

    widget.copy_as_python()
    assert f"pff.load_sample('{name}').image" in QGuiApplication.clipboard().text()


def test_what_no_command_can_do_is_said(viewer: Viewer) -> None:
    QGuiApplication.clipboard().setText("before")
    viewer.add_image(np.zeros((3, 40, 40)), name="stack")
    widget = open_widget(viewer)

    widget.copy_as_command()

    assert "was not read from a file" in widget.status.text()
    assert QGuiApplication.clipboard().text() == "before"
    widget.copy_as_python()
    assert "viewer.layers['stack'].data" in QGuiApplication.clipboard().text()
