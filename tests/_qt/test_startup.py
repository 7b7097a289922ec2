"""Opening a widget loads nothing heavy; how long it takes tells benchmarks/gui.py."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SRC = Path(__file__).parents[2] / "src"
_OPEN = """
import json, sys
from pathlib import Path
import napari
import napari_pffnet
from npe2 import PluginManager, PluginManifest

plugins = PluginManager.instance()
plugins.discover()
if "napari-pffnet" not in plugins:
    manifest = Path(napari_pffnet.__file__).with_name("napari.yaml")
    plugins.register(PluginManifest.from_file(manifest))
viewer = napari.Viewer(show=False)
viewer.window.add_plugin_dock_widget("napari-pffnet", sys.argv[1])
print(json.dumps(sorted(sys.modules)), flush=True)
viewer.close()
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "widget", ["Segment", "Review", "Train", "Link objects across slices"]
)
def test_a_widget_opens_without_torch(widget):
    done = subprocess.run(
        [sys.executable, "-c", _OPEN, widget],
        env={**os.environ, "PYTHONPATH": str(SRC)},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert f"napari_pffnet._qt.{widget.split()[0].lower()}_widget" in loaded
    assert loaded.isdisjoint({"torch", "torchvision", "matplotlib", "scipy.stats"})
