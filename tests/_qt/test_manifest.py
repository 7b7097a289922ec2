"""What napari learns about the plugin before any of its code runs."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from xml.etree import ElementTree

import pytest
from app_model import Application
from app_model.types import MenuItem
from npe2 import PluginManifest

SRC = Path(__file__).parents[2] / "src"
MANIFEST = SRC / "napari_pffnet" / "napari.yaml"


@pytest.fixture(scope="module")
def manifest() -> PluginManifest:
    return PluginManifest.from_file(MANIFEST)


def test_npe2_finds_the_manifest_and_all_it_names_valid():
    done = subprocess.run(
        [sys.executable, "-m", "npe2", "validate", "--imports", MANIFEST],
        env={**os.environ, "PYTHONPATH": str(SRC), "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "'PFFNet' valid" in done.stdout


def test_there_are_four_widgets_and_two_samples(manifest):
    contributions = manifest.contributions
    widgets = [widget.display_name for widget in contributions.widgets]
    assert widgets == ["Segment", "Review", "Train", "Link objects across slices"]
    assert [s.key for s in contributions.sample_data] == ["fluorescence", "histology"]


def test_the_icon_is_a_picture_inside_the_package(manifest):
    package, name = manifest.icon.split(":")
    picture = ElementTree.fromstring(files(package).joinpath(name).read_text("utf-8"))
    assert picture.tag.endswith("svg")
    assert picture.get("viewBox") == "0 0 64 64"


def test_the_command_palette_offers_widgets_and_samples_but_no_reader(viewer):
    menus = Application.get_app("test_app").menus
    commands = [
        item.command
        for item in menus.get_menu(menus.COMMAND_PALETTE_ID)
        if isinstance(item, MenuItem) and item.command.id.startswith("napari-pffnet")
    ]
    usable = [c.title for c in commands if not c.enablement or c.enablement.eval({})]
    assert sorted(usable) == [
        "Link objects across slices",
        "Nuclei in fluorescence, with true labels",
        "Nuclei in stained tissue, with true labels",
        "Review",
        "Segment",
        "Train",
    ]
    assert len(commands) > len(usable)
