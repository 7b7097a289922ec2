"""Which image and labels the Train widget puts together."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from qtpy.QtWidgets import QLabel

from napari_pffnet._qt.check_panel import CheckPanel
from napari_pffnet._qt.layers import METADATA_KEY
from napari_pffnet._qt.reviews import open_review
from napari_pffnet._qt.training_checks import Repair, Trouble
from napari_pffnet._qt.training_form import TrainingForm
from napari_pffnet._qt.training_pairs import TrainingPairs
from napari_pffnet._qt.training_plan import TrainChoices, draft

SIZE = (40, 50)


@pytest.fixture
def pairs(viewer):
    made = TrainingPairs(viewer)
    viewer.window.add_dock_widget(made)
    return made


def add_image(viewer, name, size=SIZE):
    return viewer.add_image(np.zeros(size, np.uint8), name=name)


def add_labels(viewer, name, **options):
    return viewer.add_labels(np.eye(*SIZE, dtype=np.int32), name=name, **options)


def names(pairs):
    return [(row.image().name, row.labels().name) for row in pairs.rows]


def pick(choice, layer):
    """Choose a layer as a hand does."""
    choice.setValue(layer)
    choice.activated.emit(choice.currentIndex())


def contrast(label):
    """Return the contrast of a text with what is behind it, as WCAG defines it."""
    picture = label.grab().toImage()
    points = product(range(picture.width()), range(picture.height()))
    colors = {picture.pixelColor(x, y).getRgbF()[:3] for x, y in points}
    light = [luminance(color) for color in colors]
    return (max(light) + 0.05) / (min(light) + 0.05)


def luminance(rgb):
    rgb = np.array(rgb)
    linear = np.where(rgb < 0.04, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def test_labels_of_equal_size_find_the_image_of_their_name(viewer, pairs):
    add_image(viewer, "alpha")
    alpha = add_labels(viewer, "alpha instances")
    add_image(viewer, "beta")
    beta = add_labels(viewer, "beta instances")
    pairs.add_row()
    both = [("alpha", "alpha instances"), ("beta", "beta instances")]
    assert names(pairs) == both
    pairs.rows[0].labels_choice.setValue(beta)
    pairs.rows[1].labels_choice.setValue(alpha)
    assert names(pairs) == both[::-1]


def test_labels_without_a_name_take_an_image_that_is_free(viewer, pairs):
    add_image(viewer, "alpha")
    add_labels(viewer, "drawn")
    add_image(viewer, "beta")
    add_labels(viewer, "more")
    pairs.add_row()
    assert names(pairs) == [("alpha", "drawn"), ("beta", "more")]


def test_an_image_in_two_pairs_is_refused(viewer, pairs):
    alpha = add_image(viewer, "alpha")
    add_image(viewer, "beta")
    add_labels(viewer, "alpha instances")
    add_labels(viewer, "beta instances")
    pairs.add_row()
    pick(pairs.rows[1].image_choice, alpha)
    with pytest.raises(ValueError, match="'alpha' is the image of two pairs; choose"):
        pairs.sources()


def test_an_image_chosen_by_hand_stays(viewer, pairs):
    add_image(viewer, "alpha")
    add_labels(viewer, "alpha instances")
    pick(pairs.rows[0].image_choice, add_image(viewer, "beta"))
    add_image(viewer, "gamma")
    assert names(pairs) == [("beta", "alpha instances")]


def test_an_image_that_is_chosen_keeps_its_labels_to_itself(viewer, pairs):
    for name in ("alpha", "beta"):
        add_image(viewer, name)
    add_image(viewer, "small", (20, 20))
    viewer.add_labels(np.eye(20, dtype=np.int32), name="small instances")
    add_labels(viewer, "alpha instances")
    (row,) = pairs.rows
    row.image_choice.setValue(viewer.layers["small"])
    assert names(pairs) == [("small", "small instances")]
    row.image_choice.setValue(viewer.layers["beta"])
    assert names(pairs) == [("beta", "alpha instances")]


def test_labels_that_are_opened_first_find_their_image_later(viewer, pairs):
    add_labels(viewer, "alpha instances")
    for name in ("beta", "alpha", "gamma"):
        add_image(viewer, name)
    assert names(pairs) == [("alpha", "alpha instances")]


@pytest.mark.parametrize("order", [("cell10", "cell1"), ("cell1", "cell10")])
def test_the_longest_name_tells_the_image(viewer, pairs, order):
    for name in order:
        add_image(viewer, name)
    add_labels(viewer, "cell10 instances")
    assert names(pairs) == [("cell10", "cell10 instances")]


def test_a_number_that_goes_on_is_another_name(viewer, pairs):
    for name in ("cell", "cell1"):
        add_image(viewer, name)
    add_labels(viewer, "cell10 instances")
    assert names(pairs) == [("cell", "cell10 instances")]


def test_class_maps_are_no_labels_to_learn_from(viewer, pairs):
    add_image(viewer, "nuc")
    ours = {METADATA_KEY: {"record": {}}}
    classes = np.ones(SIZE, np.uint8)
    viewer.add_labels(classes, name="nuc semantic", metadata=ours)
    assert pairs.labels() == []
    assert "Open an image" in pairs.rows[0].counts.text()
    add_labels(viewer, "nuc instances", metadata=ours)
    assert names(pairs) == [("nuc", "nuc instances")]
    assert "not reviewed" in pairs.rows[0].counts.text()
    assert pairs.rows[0].labels_choice.count() == 1


@pytest.mark.parametrize(
    ("image", "labels", "axes"),
    [
        ((2, *SIZE), SIZE, "CYX"),
        ((2, *SIZE), (2, *SIZE), "ZYX"),
        ((3, 2, *SIZE), (3, *SIZE), "TCYX"),
        ((2, 3, *SIZE), (3, *SIZE), "CZYX"),
    ],
)
def test_labels_tell_which_axis_holds_channels(viewer, pairs, image, labels, axes):
    add_image(viewer, "cells", image)
    drawn = np.zeros(labels, np.int32)
    drawn[..., 5:15, 5:15] = 1
    viewer.add_labels(drawn, name="cells instances")
    found = draft(pairs.sources(), TrainChoices(), None, frozenset())
    assert pairs.sources()[0].image.axes == axes
    assert len(found.plan.planes) == int(np.prod(labels[:-2]))


def test_labels_that_fit_no_axes_are_told_what_differs(viewer, pairs):
    add_image(viewer, "cells", (2, *SIZE))
    viewer.add_labels(np.ones((4, *SIZE), np.int32), name="cells instances")
    (trouble,) = draft(pairs.sources(), TrainChoices(), None, frozenset()).troubles
    assert "4 x 40 x 50 pixels" in trouble.sentence
    assert "2 x 40 x 50" in trouble.sentence


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_what_counts_can_be_read(viewer, pairs, theme):
    viewer.theme = theme
    add_image(viewer, "cells")
    add_labels(viewer, "cells instances")
    assert contrast(pairs.rows[0].counts) > 4.5


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_that_layers_stay_as_they_are_can_be_read(viewer, theme):
    viewer.theme = theme
    panel = CheckPanel()
    viewer.window.add_dock_widget(panel)
    trouble = Trouble("cells", "pieces", "Some are in pieces.", Repair.PIECES)
    panel.setTroubles((trouble,))
    hint = panel.findChildren(QLabel)[-1]
    assert "stay as they are" in hint.text()
    assert contrast(hint) > 4.5


def test_a_form_that_is_shown_again_tells_of_the_review_since(viewer, qtbot):
    image, labels = add_image(viewer, "cells"), add_labels(viewer, "cells instances")
    form = TrainingForm(viewer)
    qtbot.addWidget(form)
    form.show()
    form.hide()
    open_review(labels, image).session.accept(1)
    form.show()
    assert "1 of 1 reviewed" in form.pairs.rows[0].counts.text()


def test_a_pair_that_was_removed_hears_of_no_new_layer(viewer, pairs, qtbot):
    for name in ("alpha", "beta"):
        add_image(viewer, name)
        add_labels(viewer, f"{name} instances")
    pairs.add_button.click()
    gone = []
    pairs.rows[1].destroyed.connect(lambda: gone.append(True))
    pairs.rows[1].remove_button.click()
    qtbot.waitUntil(lambda: bool(gone))
    add_image(viewer, "gamma")
    assert len(names(pairs)) == 1
