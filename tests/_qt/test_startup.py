"""A widget opens at once, and without torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SRC = Path(__file__).parents[2] / "src"
_OPEN = """
import json, sys, time
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
own = time.process_time()
viewer.window.add_plugin_dock_widget("napari-pffnet", sys.argv[1])
ours = time.process_time() - own
loaded = sorted(sys.modules.keys() & {"torch", "torchvision", "matplotlib"})
print(json.dumps({"share": ours / own, "loaded": loaded}), flush=True)
viewer.close()
"""


@pytest.mark.slow
@pytest.mark.parametrize("widget", ["Segment", "Review", "Train"])
def test_a_widget_opens_at_once_and_without_torch(widget):
    done = subprocess.run(
        [sys.executable, "-c", _OPEN, widget],
        env={**os.environ, "PYTHONPATH": str(SRC)},
        capture_output=True,
        text=True,
        check=True,
    )
    opened = json.loads(done.stdout.splitlines()[-1])
    assert opened["loaded"] == []
    # napari itself takes 1.5 s of a quiet processor, and a widget at most 0.5 s.
    assert opened["share"] < 0.33
