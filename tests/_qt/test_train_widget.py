"""The Train widget in a real viewer, with the real child process."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from napari.utils.notifications import notification_manager

from napari_pffnet._qt.jobs import jobs
from napari_pffnet._qt.layers import features_from_table
from napari_pffnet._qt.model_choice import ModelChoice
from napari_pffnet._qt.reviews import open_review
from napari_pffnet._qt.settings import read_choices
from napari_pffnet._qt.train_widget import TrainWidget
from napari_pffnet._qt.training_folder import as_command, save_folder
from napari_pffnet._qt.training_plan import (
    GENTLE,
    TrainChoices,
    draft,
    left_over,
    move_aside,
)
from napari_pffnet.catalog import list_models, read_info
from napari_pffnet.data.pairs import load_pairs
from napari_pffnet.instances import Instances

PATIENCE = 300_000
"""Milliseconds; the child lets everything else on this machine go first."""


def discs():
    """An image of nine bright discs, and their labels."""
    y, x = np.mgrid[:96, :96]
    labels = np.zeros((96, 96), np.int32)
    for number, (cy, cx) in enumerate(np.argwhere(np.ones((3, 3))) * 32 + 16, start=1):
        labels[(y - cy) ** 2 + (x - cx) ** 2 < 90] = number
    noise = np.random.default_rng(0).normal(0, 8, labels.shape)
    image = np.where(labels > 0, 200, 30) + noise
    return image.clip(0, 255).astype(np.uint8), labels


@pytest.fixture
def layers(viewer):
    image, labels = discs()
    return viewer.add_image(image, name="discs"), viewer.add_labels(labels)


@pytest.fixture
def widget(viewer, layers, qtbot, private_folder, tiny_checkpoint):
    """The widget in the viewer's dock; it starts from a tiny model."""
    private_folder.mkdir(parents=True)
    shutil.copy(tiny_checkpoint, private_folder / "tiny.safetensors")
    made = TrainWidget(viewer)
    viewer.window.add_dock_widget(made)
    made.form.model.setValue("tiny")
    train = GENTLE.model_copy(update={"crop_size": 64, "rehearsal": 0.0})
    made.form.advanced.setValue(train)
    made.form.steps.setValue(2)
    yield made
    if jobs().running is not None:
        jobs().running.cancel()
    qtbot.waitUntil(lambda: jobs().running is None, timeout=PATIENCE)


def is_over(widget):
    return widget.train_button.text() == "Train" and widget.train_button.isEnabled()


def train(widget, qtbot):
    widget.train_button.click()
    qtbot.waitUntil(lambda: widget.keep.isVisibleTo(widget), timeout=PATIENCE)


def start(widget, qtbot, steps=2000):
    """Start a training that will not end by itself, and wait for its first step."""
    widget.form.steps.setValue(steps)
    widget.train_button.click()
    qtbot.waitUntil(lambda: bool(widget.run_view.loss_plot.names()), timeout=PATIENCE)


def test_a_model_is_trained_and_kept_and_at_once_in_every_list(
    widget, qtbot, private_folder
):
    others = ModelChoice()
    qtbot.addWidget(others)
    train(widget, qtbot)
    scores = widget.run_view.score_plot.values("both")
    assert len(scores) == 3  # the base, and both steps
    assert {"total", "mask"} < set(widget.run_view.loss_plot.names())
    assert not widget.run_view.preview.pixmap().isNull()
    assert "the labels set aside:<br>before" in widget.keep.verdict.text()
    widget.keep.name.setText("my discs")
    widget.keep.keep_button.click()
    assert not widget.keep.keep_button.isEnabled(), "or it would be kept twice"
    assert not widget.keep.discard_button.isEnabled()
    qtbot.waitUntil(lambda: "Kept" in widget.status.text(), timeout=PATIENCE)
    others.setValue("my discs")
    assert others.value() == "my discs"
    info = read_info(private_folder / "my discs.safetensors")
    assert info.name == "my discs"
    assert info.training["base"] == "tiny"
    assert set(info.training["base_scores"]["val"]) == {"aji", "pq"}
    assert widget.form.isVisibleTo(widget)


def test_a_discarded_model_leaves_nothing(widget, qtbot, private_folder):
    train(widget, qtbot)
    assert not widget.train_button.isEnabled()
    widget.keep.discard_button.click()
    assert {entry.name for entry in list_models()} == {"nuclei", "tiny"}
    assert not list(private_folder.rglob("trained*"))
    assert widget.train_button.isEnabled()


def test_scores_of_what_was_learnt_from_are_called_so(widget, qtbot, layers):
    layers[1].data = np.where(layers[1].data == 5, 1, 0)
    train(widget, qtbot)
    assert "too few objects" in widget.keep.notes.text()
    assert "the labels it learnt from:<br>before" in widget.keep.verdict.text()
    assert "aside" not in widget.keep.verdict.text() + widget.keep.verdict.toolTip()
    widget.keep.discard_button.click()


def test_a_model_that_waits_is_left_alone_by_the_next_one(tmp_path):
    trained = tmp_path / "trained.safetensors"
    waiting = []
    for content in (b"of one window", b"of another"):
        trained.write_bytes(content)
        waiting.append(move_aside(trained))
    assert [path.read_bytes() for path in waiting] == [b"of one window", b"of another"]


def test_a_model_that_nobody_decided_on_is_told_of(viewer, tmp_path):
    trained = tmp_path / "trained.safetensors"
    trained.write_bytes(b"a model")
    waiting = move_aside(trained)
    widget = TrainWidget(viewer)
    viewer.window.add_dock_widget(widget)
    assert waiting.name in widget.status.text()
    assert str(waiting.parent) in widget.status.text()
    waiting.rename(waiting.parents[1] / waiting.name)
    assert waiting.stem in {entry.name for entry in list_models()}
    assert left_over() == ""


def test_a_name_that_is_taken_is_refused(widget, qtbot):
    train(widget, qtbot)
    assert widget.keep.name.text() == "discs"
    widget.keep.name.setText("Tiny")
    widget.keep.keep_button.click()
    assert "already" in widget.keep.complaint.text()
    assert widget.keep.isVisibleTo(widget)
    widget.keep.discard_button.click()


def test_stopping_keeps_the_best_even_if_the_layers_are_gone(widget, qtbot, viewer):
    start(widget, qtbot)
    viewer.layers.clear()
    widget.finish_button.click()
    qtbot.waitUntil(lambda: widget.keep.isVisibleTo(widget), timeout=PATIENCE)
    assert widget.run_view.best() is not None
    widget.keep.discard_button.click()


def test_a_cancelled_training_leaves_the_form(widget, qtbot, private_folder):
    start(widget, qtbot)
    assert widget.train_button.text() == "Cancel"
    assert not widget.form.isVisibleTo(widget)
    with qtbot.waitSignal(jobs().running.finished, timeout=PATIENCE):
        widget.train_button.click()
    assert widget.status.text() == "Cancelled."
    assert widget.form.isVisibleTo(widget)
    assert not list(private_folder.rglob("trained*"))


def child_pid():
    """Return the number of the child process of this one."""
    me = os.getpid()
    children = Path(f"/proc/{me}/task/{me}/children").read_text().split()
    lines = {int(n): Path(f"/proc/{n}/cmdline").read_text() for n in children}
    return next(n for n, line in lines.items() if "napari_pffnet.worker" in line)


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_a_child_that_dies_is_told_once_and_the_next_click_works(widget, qtbot):
    start(widget, qtbot)
    told = len(notification_manager.records)
    with qtbot.waitSignal(jobs().running.finished, timeout=PATIENCE):
        os.kill(child_pid(), signal.SIGKILL)
    assert len(notification_manager.records) == told + 1
    assert is_over(widget)
    widget.form.steps.setValue(2)
    train(widget, qtbot)
    widget.keep.discard_button.click()


def test_a_mask_is_repaired_only_if_the_user_agrees(widget, qtbot, layers):
    layers[1].data = (layers[1].data > 0).astype(np.uint8)
    widget.train_button.click()
    qtbot.waitUntil(lambda: widget.checks.isVisibleTo(widget), timeout=PATIENCE)
    (box,) = widget.checks.boxes.values()
    box.setChecked(False)
    widget.train_button.click()
    qtbot.waitUntil(lambda: is_over(widget), timeout=PATIENCE)
    assert "look at this" in widget.status.text()
    box = next(iter(widget.checks.boxes.values()))
    box.setChecked(True)
    train(widget, qtbot)
    assert layers[1].data.max() == 1
    widget.keep.discard_button.click()


def test_nothing_to_learn_from_is_said(viewer, qtbot):
    widget = TrainWidget(viewer)
    viewer.window.add_dock_widget(widget)
    widget.train_button.click()
    assert "Open an image" in widget.status.text()


def test_the_widget_says_what_of_a_review_counts(widget, layers):
    row = widget.form.pairs.rows[0]
    assert row.counts.text() == "All labels count."
    session = open_review(layers[1], layers[0]).session
    session.accept(1)
    row.refresh()
    assert row.counts.text() == "1 of 9 reviewed; only the reviewed area counts."
    session.set_complete(True)
    row.refresh()
    assert "all of it" in row.counts.text()


def learnt_from(widget, layer):
    """Choose labels of the discs; return what is said of them, and what is found."""
    form = widget.form
    form.pairs.rows[0].labels_choice.setValue(layer)
    form.refresh()
    said = form.pairs.rows[0].counts.text()
    return said, draft(form.sources(), form.choices(), form.base(), frozenset())


@pytest.mark.parametrize("name", ["mine_labels.tif", "mine.json", "mine.geojson"])
def test_labels_that_a_person_made_count_also_from_files(
    widget, viewer, layers, tmp_path, name
):
    layers[1].save(str(tmp_path / name), plugin="napari-pffnet")
    (opened,) = viewer.open(tmp_path / name, plugin="napari-pffnet")
    said, found = learnt_from(widget, opened)
    assert said == "All labels count."
    assert found.troubles == ()
    assert found.plan.planes[0].area is None


def scored(labels):
    """Return the table of labels that a model made."""
    count = int(labels.data.max())
    found = Instances.from_labels(labels.data, [1] * count, [0.9] * count)
    table = found.to_table(labels.data, np.arange(count), ("disc",))
    return features_from_table(table)


@pytest.mark.parametrize("name", ["found_labels.tif", "found.json", "found.geojson"])
def test_objects_of_a_model_are_known_also_without_their_record(
    widget, viewer, layers, tmp_path, name
):
    layers[1].features = scored(layers[1])
    layers[1].save(str(tmp_path / name), plugin="napari-pffnet")
    (opened,) = viewer.open(tmp_path / name, plugin="napari-pffnet")
    said, found = learnt_from(widget, opened)
    assert "not reviewed" in said
    (trouble,) = found.troubles
    assert trouble.blocks


def test_verdicts_in_a_file_count_where_the_review_is_not_at_hand(
    widget, viewer, layers, tmp_path
):
    verdicts = ["", "accepted", *[""] * 8]
    layers[1].features = scored(layers[1]).assign(verdict=verdicts)
    layers[1].save(str(tmp_path / "seen_labels.tif"), plugin="napari-pffnet")
    (tmp_path / "seen_run.json").write_text('{"program": "napari-pffnet"}')
    (opened,) = viewer.open(tmp_path / "seen_labels.tif", plugin="napari-pffnet")
    said, found = learnt_from(widget, opened)
    assert said == "1 of 9 reviewed; only the reviewed area counts."
    assert found.troubles == ()
    (plane,) = found.plan.planes
    assert plane.area[opened.data == 1].all()
    assert not plane.area[opened.data > 1].any()


def test_labels_find_their_image(viewer, widget):
    small = viewer.add_image(np.zeros((50, 60)), name="small")
    labels = viewer.add_labels(np.eye(50, 60, dtype=int))
    row = widget.form.pairs.add_row()
    assert (row.image(), row.labels()) == (small, labels)
    row.labels_choice.setValue(widget.form.pairs.rows[0].labels())
    with pytest.raises(ValueError, match="chosen twice"):
        widget.form.sources()


def test_classes_are_offered_by_the_table_and_by_other_layers(viewer, widget, layers):
    kinds = ["", *["round", "long", "round"] * 3]
    layers[1].features = pd.DataFrame({"area": range(10), "kind": kinds})
    other = viewer.add_labels(np.ones((96, 96), int), name="kinds")
    widget.form.refresh()
    box = widget.form.classes
    offered = [box.itemData(i) for i in range(box.count())]
    assert offered == [None, "kind", other]
    box.setCurrentIndex(1)
    (source,) = widget.form.sources()
    assert source.classes[1] == "round"
    assert source.classes[2] == "long"


def test_choices_last_until_they_are_restored(viewer, widget, qtbot):
    widget.form.length.setCurrentText("long")
    train_choices = widget.form.choices()
    assert train_choices.steps == 400
    widget.form.steps.setValue(3)
    train(widget, qtbot)
    widget.keep.discard_button.click()
    again = TrainWidget(viewer)
    viewer.window.add_dock_widget(again)
    assert (again.form.steps.value(), again.form.model.value()) == (3, "tiny")
    assert again.form.choices().seconds_per_step > 0
    widget.restore_defaults()
    assert read_choices("train", TrainChoices) == TrainChoices()


def test_a_saved_folder_trains_on_the_same(widget, layers, tmp_path):
    session = open_review(layers[1], layers[0]).session
    for label in range(1, 7):
        session.accept(label)
    form = widget.form
    plan = draft(form.sources(), form.choices(), form.base(), frozenset()).plan
    save_folder(plan, tmp_path / "cells")
    assert "--base tiny" in as_command(plan, tmp_path / "cells")
    (from_layers,) = plan.write(Path(tmp_path)).pairs
    (saved,) = load_pairs(tmp_path / "cells")
    assert len(saved.class_ids) == 6
    known = ~np.load(from_layers.ignore.path).astype(bool)
    np.testing.assert_array_equal(~saved.ignore, known)
    labels = np.load(from_layers.labels.path)
    np.testing.assert_array_equal(saved.labels[known], labels[known])
