import os
import subprocess
import sys
from operator import attrgetter

import pytest

import napari_pffnet

HEAVY = ("torch", "numpy", "pandas", "scipy", "skimage", "matplotlib")
NETWORK = ("pooch", "requests", "urllib3")
QT = ("napari", "qtpy", "superqt", "magicgui", "PyQt6", "PySide6")


def loaded_by(code: str) -> set[str]:
    """Return the modules that a fresh interpreter has loaded after ``code``."""
    code += "\nimport sys; sys.stderr.write(' '.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return set(done.stderr.split())


def test_importing_the_package_loads_neither_torch_nor_qt():
    modules = loaded_by("import napari_pffnet")
    assert "napari_pffnet" in modules
    assert modules.isdisjoint(HEAVY + QT + NETWORK)


def test_listing_models_loads_neither_torch_nor_a_network():
    modules = loaded_by("from napari_pffnet.cli import main; main(['models'])")
    assert "napari_pffnet.registry" in modules
    assert modules.isdisjoint(("torch", *QT, *NETWORK))


def test_help_loads_nothing_heavy():
    modules = loaded_by("from napari_pffnet.cli import main; main(['segment', '-h'])")
    assert "cyclopts" in modules
    assert modules.isdisjoint(HEAVY + QT)


def test_help_comes_at_once():
    def seconds() -> float:
        before = os.times()
        loaded_by("from napari_pffnet.cli import main; main(['--help'])")
        after = os.times()
        return sum(after[2:4]) - sum(before[2:4])

    # Of the processor, as other programs run on this machine too.
    assert min(seconds() for _ in range(3)) < 1


@pytest.mark.parametrize("name", napari_pffnet.__all__)
def test_every_public_name_can_be_used(name):
    assert getattr(napari_pffnet, name).__doc__


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="segmnet"):
        attrgetter("segmnet")(napari_pffnet)
