"""The choices that the widgets share: layers, models, devices, and what is kept."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest
from napari.layers import Image
from pydantic import BaseModel
from qtpy.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from qtpy.QtGui import QDropEvent

from napari_pffnet._qt.device_choice import DeviceChoice
from napari_pffnet._qt.layer_choice import LayerChoice
from napari_pffnet._qt.model_choice import ModelChoice
from napari_pffnet._qt.settings import read_choices, settings_path, write_choices

if TYPE_CHECKING:
    from pathlib import Path

    from napari import Viewer
    from pytestqt.qtbot import QtBot


class Choices(BaseModel):
    number: int = 3
    word: str = "a"


# ---------------------------------------------------------------------- settings


def test_choices_are_kept_for_each_widget() -> None:
    write_choices("one", Choices(number=5))
    write_choices("two", Choices(word="b"))

    assert read_choices("one", Choices) == Choices(number=5)
    assert read_choices("two", Choices) == Choices(word="b")
    assert read_choices("three", Choices) == Choices()


@pytest.mark.parametrize("content", ["", "[1]", '{"one": {"number": "many"}}'])
def test_choices_that_are_not_understood_are_defaults(content: str) -> None:
    settings_path().parent.mkdir(parents=True)
    settings_path().write_text(content)

    assert read_choices("one", Choices) == Choices()


def test_a_folder_that_cannot_be_written_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("NAPARI_PFFNET_SETTINGS", str(tmp_path / "file" / "s.json"))

    write_choices("one", Choices())

    assert read_choices("one", Choices) == Choices()


# ------------------------------------------------------------------------ layers


def test_the_list_of_layers_follows_the_viewer(viewer: Viewer, qtbot: QtBot) -> None:
    first = viewer.add_image(np.zeros((4, 4)), name="first")
    choice = LayerChoice(viewer, (Image,))
    qtbot.addWidget(choice)
    viewer.add_labels(np.zeros((4, 4), int))
    second = viewer.add_image(np.zeros((4, 4)), name="second")

    assert [choice.itemText(i) for i in range(choice.count())] == ["second", "first"]
    assert choice.value() is first
    first.name = "renamed"
    assert choice.currentText() == "renamed"
    with qtbot.waitSignal(choice.valueChanged):
        viewer.layers.remove(first)
    assert choice.value() is second
    viewer.layers.clear()
    assert choice.value() is None


def test_the_choice_goes_to_the_layer_that_is_selected(
    viewer: Viewer, qtbot: QtBot
) -> None:
    first = viewer.add_image(np.zeros((4, 4)))
    second = viewer.add_image(np.zeros((4, 4)))
    labels = viewer.add_labels(np.zeros((4, 4), int))
    choice = LayerChoice(viewer, (Image,), follow_selection=True)
    qtbot.addWidget(choice)

    for active, chosen in ((first, first), (labels, first), (second, second)):
        viewer.layers.selection.active = active
        assert choice.value() is chosen


def test_a_disabled_choice_stays_when_another_layer_is_selected(
    viewer: Viewer, qtbot: QtBot
) -> None:
    viewer.add_image(np.zeros((4, 4)))
    second = viewer.add_image(np.zeros((4, 4)))
    choice = LayerChoice(viewer, (Image,), follow_selection=True)
    qtbot.addWidget(choice)

    choice.setEnabled(False)
    viewer.layers.selection.active = viewer.layers[0]
    assert choice.value() is second
    choice.setEnabled(True)
    viewer.layers.selection.active = second
    viewer.layers.selection.active = viewer.layers[0]
    assert choice.value() is viewer.layers[0]


def test_no_layer_may_be_a_choice(viewer: Viewer, qtbot: QtBot) -> None:
    layer = viewer.add_image(np.zeros((4, 4)))
    choice = LayerChoice(viewer, (Image,), none_title="none")
    qtbot.addWidget(choice)

    assert choice.value() is None
    choice.setValue(layer)
    assert choice.value() is layer
    choice.setValue(None)
    assert choice.value() is None


# ------------------------------------------------------------------------ models


def test_the_bundled_model_tells_what_it_finds(qtbot: QtBot) -> None:
    choice = ModelChoice()
    qtbot.addWidget(choice)

    choice.setValue("nuclei")

    assert choice.value() == "nuclei"
    assert choice.info().model.classes == ("nucleus",)
    assert "Finds: nucleus" in choice.about.text()


def test_a_new_model_is_listed_after_a_training(
    qtbot: QtBot, private_folder: Path, tiny_checkpoint: Path
) -> None:
    choice = ModelChoice()
    qtbot.addWidget(choice)
    choice.setValue("mine")
    assert choice.value() == "nuclei"

    private_folder.mkdir()
    shutil.copy(tiny_checkpoint, private_folder / "mine.safetensors")
    choice.refresh()
    choice.setValue("mine")

    assert choice.value() == "mine"


def test_a_file_is_dropped(qtbot: QtBot, tiny_checkpoint: Path) -> None:
    choice = ModelChoice()
    qtbot.addWidget(choice)
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(tiny_checkpoint))])
    event = QDropEvent(
        QPointF(QPoint(2, 2)), Qt.DropAction.CopyAction, data,
        Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier,
    )  # fmt: skip

    with qtbot.waitSignal(choice.valueChanged):
        choice.dropEvent(event)

    assert choice.value() == str(tiny_checkpoint)
    assert choice.list.currentText() == tiny_checkpoint.name
    choice.refresh()
    assert choice.value() == str(tiny_checkpoint)


def test_a_file_of_another_kind_is_explained(qtbot: QtBot, tmp_path: Path) -> None:
    path = tmp_path / "bad.safetensors"
    path.write_bytes(b"no model")
    choice = ModelChoice()
    qtbot.addWidget(choice)

    choice.setValue(str(path))

    assert "is not a whole .safetensors file" in choice.about.text()


def test_from_scratch_is_no_model(qtbot: QtBot) -> None:
    choice = ModelChoice(none_title="from scratch")
    qtbot.addWidget(choice)

    assert choice.value() == ""
    assert choice.info() is None
    choice.setValue("nuclei")
    assert choice.value() == "nuclei"


# ----------------------------------------------------------------------- devices


def test_devices_are_those_of_the_child(qtbot: QtBot) -> None:
    choice = DeviceChoice()
    qtbot.addWidget(choice)
    choice.setValue("cuda:7")
    assert choice.value() == "auto"

    choice.show()
    qtbot.waitUntil(lambda: choice.list.findData("cpu") >= 0, timeout=300_000)

    assert choice.value() == "auto", "this machine has no eighth GPU"
    assert choice.list.currentText().startswith("automatic: ")
    choice.setValue("cpu")
    assert choice.value() == "cpu"
    has_gpu = choice.list.count() > 2
    assert choice.note.text().startswith("No GPU is used") is not has_gpu
