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


def test_there_are_three_widgets_and_two_samples(manifest):
    contributions = manifest.contributions
    widgets = [widget.display_name for widget in contributions.widgets]
    assert widgets == ["Segment", "Review", "Train"]
    assert [s.key for s in contributions.sample_data] == ["fluorescence", "histology"]


def test_the_icon_is_a_picture_inside_the_package(manifest):
    package, name = manifest.icon.split(":")
    picture = ElementTree.fromstring(files(package).joinpath(name).read_text("utf-8"))
    assert picture.tag.endswith("svg")
    assert picture.get("viewBox") == "0 0 64 64"


def test_the_command_palette_names_the_widgets_and_offers_no_reader(viewer):
    menus = Application.get_app("test_app").menus
    commands = {
        item.command.id: item.command
        for item in menus.get_menu(menus.COMMAND_PALETTE_ID)
        if isinstance(item, MenuItem) and item.command.id.startswith("napari-pffnet.")
    }
    names = ("segment", "review", "train", "fluorescence", "histology")
    usable = {
        key for key, c in commands.items() if not c.enablement or c.enablement.eval({})
    }
    assert usable == {f"napari-pffnet.{name}" for name in names}
    titles = {commands[f"napari-pffnet.{name}"].title for name in names[:3]}
    assert titles == {"Segment", "Review", "Train"}
