"""What is found in labels before a training, and what repairs do."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import zarr

from napari_pffnet._qt.layers import ImageSource
from napari_pffnet._qt.training_checks import Repair, check_pairs, mend
from napari_pffnet._qt.training_data import PairSource, read_planes
from napari_pffnet._qt.training_plan import TrainChoices, draft
from napari_pffnet.review import ReviewSession


def source(labels, *, axes="YX", image=None, **options):
    labels = np.asarray(labels)
    pixels = np.zeros(labels.shape, np.uint8) if image is None else image
    described = ImageSource(pixels, axes, (), None, "image")
    return PairSource(described, labels, "labels", **options)


def squares(*corners, size=8, side=40):
    labels = np.zeros((side, side), np.int32)
    for number, (y, x) in enumerate(corners, start=1):
        labels[y : y + size, x : x + size] = number
    return labels


def only_trouble(*sources):
    (trouble,) = check_pairs(sources).troubles
    return trouble


def test_good_labels_need_nothing():
    checked = check_pairs([source(squares((2, 2), (20, 20)))])
    assert checked.troubles == ()
    assert checked.planes[0].area is None


def test_a_binary_mask_is_split_if_wanted():
    mask = (squares((2, 2), (20, 20)) > 0).astype(np.uint8) * 255
    trouble = only_trouble(source(mask))
    assert trouble.repair is Repair.SPLIT
    assert trouble.blocks
    assert "--" not in trouble.sentence
    (plane,) = check_pairs([source(mask)], frozenset([trouble.key])).planes
    assert plane.labels.max() == 2
    assert mask.max() == 255


def test_large_pieces_become_objects_and_stray_pixels_go():
    labels = squares((2, 2), (20, 20))
    labels[30:38, 2:10] = 1
    labels[0, 39] = 2
    trouble = only_trouble(source(labels))
    assert trouble.repair is Repair.PIECES
    (plane,) = read_planes(source(labels))
    mended = mend(plane, [Repair.PIECES])
    assert np.bincount(mended.labels.ravel())[1:].tolist() == [64, 64, 64]


def test_tiny_objects_can_be_taken_out():
    labels = squares((2, 2), (20, 20))
    labels[39, 39] = 7
    trouble = only_trouble(source(labels))
    assert (trouble.repair, trouble.blocks) == (Repair.TINY, False)
    (plane,) = check_pairs([source(labels)], frozenset([trouble.key])).planes
    assert np.unique(plane.labels).tolist() == [0, 1, 2]


def test_repairs_do_the_same_in_any_order():
    labels = squares((2, 2), size=4)
    labels[30, 2:5] = 1
    (plane,) = read_planes(source(labels))
    repairs = [Repair.PIECES, Repair.TINY]
    for wanted in (repairs, repairs[::-1]):
        # The piece becomes an object, which is too small for one.
        np.testing.assert_array_equal(
            mend(plane, wanted).labels, squares((2, 2), size=4)
        )


def test_an_empty_image_is_left_out_as_advised():
    empty = source(squares())
    trouble = only_trouble(empty)
    assert trouble.repair is Repair.LEAVE_OUT
    assert trouble.is_advised
    assert check_pairs([empty], frozenset([trouble.key])).planes == ()


def test_labels_of_another_size_are_named():
    wrong = source(squares((2, 2)), image=np.zeros((30, 40)))
    trouble = only_trouble(wrong)
    assert trouble.blocks
    assert "40 x 40" in trouble.sentence
    assert "30 x 40" in trouble.sentence


def test_what_a_model_made_is_learnt_only_if_the_user_insists():
    guess = source(squares((2, 2)), is_guess=True)
    found = draft([guess], TrainChoices(), None, frozenset())
    (trouble,) = found.troubles
    assert found.is_open(found.troubles)
    insisted = draft([guess], TrainChoices(), None, frozenset([trouble.key]))
    assert not insisted.is_open(found.troubles)
    assert len(insisted.plan.planes) == 1


def test_only_the_reviewed_area_is_learnt():
    labels = squares((2, 2), (20, 20))
    session = ReviewSession(labels, None)
    reviewed = source(labels, session=session, is_guess=True)
    assert "no object has a verdict" in only_trouble(reviewed).sentence
    session.accept(1)
    (plane,) = check_pairs([reviewed]).planes
    assert plane.area[:12, :12].all()
    assert not plane.area[20:28, 20:28].any()


def test_of_a_stack_the_planes_with_objects_are_learnt():
    stack = np.stack([squares(), squares((2, 2)), squares((5, 5), (20, 20))])
    planes = read_planes(source(stack, axes="ZYX"))
    assert [plane.name for plane in planes] == ["labels, plane 1", "labels, plane 2"]
    assert all(plane.image.axes == "YX" for plane in planes)
    assert planes[1].labels.max() == 2


@pytest.mark.parametrize("as_map", [None, np.asarray, da.from_array, zarr.array])
def test_classes_come_from_a_table_or_a_layer(as_map):
    labels = squares((2, 2), (20, 20), (20, 2))
    numbers = np.array([0, 2, 1, 2])
    classes = as_map(numbers[labels]) if as_map else {1: "round", 2: "long", 3: "round"}
    found = draft([source(labels, classes=classes)], TrainChoices(), None, frozenset())
    names = ("class 1", "class 2") if as_map else ("long", "round")
    assert found.plan.class_names == names
    (plane,) = found.plan.planes
    expected = numbers[labels] if as_map else numbers
    np.testing.assert_array_equal(plane.classes, expected)
