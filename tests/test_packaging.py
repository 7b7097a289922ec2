import subprocess
import sys
import tomllib
from pathlib import Path
from zipfile import ZipFile

import pytest

import napari_pffnet

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> ZipFile:
    """The wheel, built without network from this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [
            sys.executable,
            "-m",
            "build",
            "--wheel",
            "--no-isolation",
            "-o",
            folder,
            ROOT,
        ],
        check=True,
        capture_output=True,
    )
    return ZipFile(next(folder.glob("*.whl")))


def test_the_wheel_holds_code_types_samples_and_weights(wheel):
    names = set(wheel.namelist())
    for path in (
        "__init__.py",
        "__init__.pyi",
        "py.typed",
        "cli/app.py",
        "samples/fluorescence.png",
        "samples/histology_labels.png",
        "samples/README.md",
        "models/nuclei.safetensors",
        "registry/models.json",
    ):
        assert f"napari_pffnet/{path}" in names


def test_the_wheel_holds_nothing_else(wheel):
    folders = {name.split("/")[0] for name in wheel.namelist()}
    assert folders == {
        "napari_pffnet",
        f"napari_pffnet-{napari_pffnet.__version__}.dist-info",
    }
    assert not [name for name in wheel.namelist() if "__pycache__" in name]


def test_the_wheel_is_small_enough_to_send(wheel):
    assert sum(item.compress_size for item in wheel.infolist()) < 55_000_000


def test_dependencies_have_no_upper_pins_and_no_qt_binding():
    bindings = {"pyqt5", "pyqt6", "pyside2", "pyside6", "napari"}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    for requirement in project["dependencies"]:
        assert not any(pin in requirement for pin in ("<", "==", "~="))
        assert ">=" in requirement
        name = requirement.partition(">=")[0].partition("[")[0]
        assert name.lower() not in bindings


def test_the_changelog_knows_this_version():
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert f"## {napari_pffnet.__version__}" in text
