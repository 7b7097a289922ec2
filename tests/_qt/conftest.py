"""Fixtures shared by all tests with a window."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari import Viewer

# Before napari reads it: the settings of the person who runs the tests stay as
# they are.
os.environ["NAPARI_CONFIG"] = ""

NAME = "napari-pffnet"
ROOT = Path(__file__).parents[2]
MANIFEST = ROOT / "src" / "napari_pffnet" / "napari.yaml"

_SAVE_TINY_MODEL = """
import sys
from conftest import make_tiny_model
from napari_pffnet.weights import save_checkpoint

model = make_tiny_model()
save_checkpoint(sys.argv[1], model.network, model.info)
"""


class _NoTorch(MetaPathFinder):
    """Refuses torch with a sentence where loading it ends the process or freezes it."""

    def find_spec(self, name: str, path: object, target: object = None) -> None:
        if name.partition(".")[0] in ("torch", "torchvision"):
            raise ImportError(f"{name} must not be loaded in the process of napari.")


# For all of the process: the modules of the tests may not load it either.
sys.meta_path.insert(0, _NoTorch())


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained model as a file, made in a process of its own."""
    path = tmp_path_factory.mktemp("models") / "tiny.safetensors"
    places = os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")])
    subprocess.run(
        [sys.executable, "-c", _SAVE_TINY_MODEL, path],
        env={**os.environ, "PYTHONPATH": places},
        check=True,
    )
    return path


@pytest.fixture(scope="session", autouse=True)
def _display() -> None:
    """Skip where no window can open, before Qt would end the whole process."""
    places = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    if sys.platform == "linux" and not any(os.environ.get(name) for name in places):
        pytest.skip("no display: run the tests under xvfb-run -a")


@pytest.fixture(scope="session", autouse=True)
def _child_of_the_session(_display: None) -> Iterator[None]:
    """End the child process that the tests have started, once they are done."""
    yield
    if "napari_pffnet._qt.jobs" in sys.modules:
        from napari_pffnet._qt.jobs import jobs

        jobs().free_memory()


@pytest.fixture(autouse=True)
def private_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Models, reviews and choices of the user go here instead; fresh in each test.

    The child process keeps the folder of the test that started it: what it is
    sent are paths, not names that only this folder knows.
    """
    folder = tmp_path / "user"
    monkeypatch.setenv("NAPARI_PFFNET_HOME", str(folder))
    monkeypatch.setenv("NAPARI_PFFNET_CACHE", str(folder / "downloaded"))
    monkeypatch.setenv("NAPARI_PFFNET_SETTINGS", str(folder / "settings.json"))
    return folder


@pytest.fixture
def _plugin() -> None:
    """Make the plugin known to napari, also where the package is not installed."""
    from npe2 import PluginManager, PluginManifest

    plugins = PluginManager.instance()
    plugins.discover()
    if NAME not in plugins:
        plugins.register(PluginManifest.from_file(MANIFEST))


@pytest.fixture
def viewer(_plugin: None, make_napari_viewer: Callable[..., Viewer]) -> Viewer:
    """A viewer whose window stays hidden; widgets that outlive it fail the test."""
    return make_napari_viewer(strict_qt="raise")


@pytest.fixture
def shown_viewer(_plugin: None, make_napari_viewer: Callable[..., Viewer]) -> Viewer:
    """A viewer in a real window, for keys, the mouse and what is drawn."""
    return make_napari_viewer(strict_qt="raise", show=True)
