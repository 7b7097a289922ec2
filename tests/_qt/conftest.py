"""Fixtures shared by all tests with a window."""

from __future__ import annotations

import os
import sys
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
MANIFEST = Path(__file__).parents[2] / "src" / "napari_pffnet" / "napari.yaml"


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
