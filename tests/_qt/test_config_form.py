"""The editor of one pydantic model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from napari_pffnet._qt.config_form import ConfigForm
from napari_pffnet.config import SegmentConfig, TrainConfig

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pytestqt.qtbot import QtBot

TRAIN_FIELDS = (
    "iterations", "learning_rate", "optimizer", "momentum", "warmup", "seed",
)  # fmt: skip


@pytest.mark.parametrize(
    ("value", "fields"),
    [
        (SegmentConfig(), ("diameter", "tile", "score_threshold", "precision")),
        (
            SegmentConfig(diameter=1.5, tile=0, score_threshold=0.0),
            ("diameter", "tile"),
        ),
        (TrainConfig(), TRAIN_FIELDS),
        (TrainConfig(learning_rate=3e-5, iterations=1, momentum=1.0), TRAIN_FIELDS),
    ],
)
def test_showing_a_value_does_not_change_it(
    qtbot: QtBot, value: BaseModel, fields: tuple[str, ...]
) -> None:
    form = ConfigForm(value, fields=fields)
    qtbot.addWidget(form)

    assert form.value() == value
    with qtbot.assertNotEmitted(form.valueChanged):
        form.setValue(value)


def test_the_user_edits_what_is_shown_and_the_rest_stays(qtbot: QtBot) -> None:
    form = ConfigForm(
        SegmentConfig(axes="ZYX"), fields=("diameter",), advanced=("tile",)
    )
    qtbot.addWidget(form)

    with qtbot.waitSignal(form.valueChanged):
        form.editor("tile").setValue(512)

    assert form.value() == SegmentConfig(axes="ZYX", tile=512)


def test_a_word_is_shown_for_what_is_no_number(qtbot: QtBot) -> None:
    form = ConfigForm(SegmentConfig(), fields=("diameter", "tile"))
    qtbot.addWidget(form)

    assert form.editor("tile").text() == form.editor("diameter").text() == "auto"
    form.setValue(SegmentConfig(tile=512))
    assert form.editor("tile").text() == "512"
    assert form.value().tile == 512


def test_steps_lead_from_the_word_to_numbers_and_back(qtbot: QtBot) -> None:
    form = ConfigForm(SegmentConfig(), fields=("score_threshold", "tile"))
    qtbot.addWidget(form)
    score, tile = form.editor("score_threshold"), form.editor("tile")

    score.stepUp()
    tile.stepUp()
    assert (form.value().score_threshold, form.value().tile) == (0, 0)
    assert (score.text(), tile.text()) == ("0.00", "0")
    score.stepUp()
    assert form.value().score_threshold == 0.05
    score.stepBy(-2)
    tile.stepDown()
    assert form.value() == SegmentConfig()
    assert score.text() == tile.text() == "auto"
    score.setValue(-0.02)
    assert form.value() == SegmentConfig()


def test_one_signal_for_many_fields(qtbot: QtBot) -> None:
    form = ConfigForm(SegmentConfig(), fields=("diameter", "tile", "precision"))
    qtbot.addWidget(form)
    heard: list[int] = []
    form.valueChanged.connect(lambda: heard.append(1))
    wanted = SegmentConfig(diameter=20, tile=256, precision="float32")

    form.setValue(wanted)

    assert form.value() == wanted
    assert heard == [1]


def test_limits_and_help_come_from_the_model(qtbot: QtBot) -> None:
    form = ConfigForm(TrainConfig(), fields=("crop_size", "momentum"))
    qtbot.addWidget(form)

    form.editor("crop_size").setValue(3)
    form.editor("momentum").setValue(7)

    assert form.value().crop_size == 64
    assert form.value().momentum == 1
    assert form.editor("crop_size").toolTip() == "Side of the crops, pixels."
