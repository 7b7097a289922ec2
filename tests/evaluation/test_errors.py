"""What went wrong: by hand for each kind, and what must hold of any two images."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_pffnet import evaluation as ev
from napari_pffnet.evaluation.errors import FOUND_KINDS, TRUE_KINDS

LABELS = hnp.arrays(np.int32, (4, 5), elements=st.sampled_from([0, 2, 3, 7, 40]))


def row(*runs):
    """Build a one-row label image of (label, pixels) runs."""
    return np.concatenate([np.full(n, label) for label, n in runs])[None]


def kinds(true, pred):
    found = ev.error_kinds(true, pred)
    return found.true_kinds.tolist(), found.found_kinds.tolist()


def test_an_object_is_good_from_an_iou_of_three_quarters_on():
    assert kinds(row((1, 4)), row((5, 3), (0, 1))) == (["good"], ["good"])
    assert kinds(row((1, 4)), row((5, 2), (0, 2))) == (["poor"], ["poor"])


def test_an_outline_is_poor_down_to_an_iou_of_one_quarter():
    small, large = row((1, 2), (0, 6)), row((5, 8))
    assert kinds(small, large) == (["poor"], ["poor"])
    assert kinds(large, small) == (["poor"], ["poor"])
    smaller = row((1, 1), (0, 7))
    assert kinds(smaller, large) == (["missed"], ["false"])
    assert kinds(large, smaller) == (["missed"], ["false"])


def test_two_objects_under_one_prediction_are_merged():
    touching = row((1, 4), (2, 4))
    assert kinds(touching, row((5, 8))) == (["merged"] * 2, ["merge"])
    apart = row((1, 4), (0, 2), (2, 3))
    assert kinds(apart, row((5, 9))) == (["merged"] * 2, ["merge"])


def test_a_merge_needs_more_than_half_of_two_objects():
    true = row((1, 4), (2, 4))
    assert kinds(true, row((5, 6), (0, 2))) == (["poor", "poor"], ["poor"])
    # All of one and three quarters of the other.
    assert kinds(true, row((5, 7), (0, 1))) == (["merged", "merged"], ["merge"])


def test_a_speck_that_a_good_outline_swallows_is_merged_alone():
    true, pred = row((1, 8), (2, 1), (0, 3)), row((5, 9), (0, 3))
    assert kinds(true, pred) == (["good", "merged"], ["good"])


def test_an_object_in_two_predictions_is_split():
    assert kinds(row((1, 8)), row((5, 4), (6, 4))) == (["split"], ["piece"] * 2)
    # Both reach over the edge, with less than half of theirs.
    true, pred = row((0, 1), (1, 6), (0, 1)), row((5, 4), (6, 4))
    assert kinds(true, pred) == (["split"], ["piece"] * 2)


def test_a_splinter_beside_a_good_outline_is_a_piece():
    assert kinds(row((1, 8)), row((5, 7), (6, 1))) == (["good"], ["good", "piece"])


def test_a_prediction_half_outside_does_not_lie_in_the_object():
    true, pred = row((1, 4), (0, 2)), row((5, 2), (6, 4))
    assert kinds(true, pred) == (["poor"], ["poor", "poor"])


def test_merged_goes_before_split():
    # 5 covers both objects and lies in the first, which 6 lies in as well.
    true, pred = row((1, 10), (2, 2)), row((6, 4), (5, 8))
    assert kinds(true, pred) == (["merged", "merged"], ["merge", "piece"])


def test_touching_objects_that_are_told_apart_are_good():
    true, pred = row((1, 4), (2, 4), (3, 4)), row((9, 4), (8, 5), (7, 3))
    assert kinds(true, pred) == (["good"] * 3, ["good"] * 3)


def test_an_edge_between_neighbours_at_the_wrong_place_is_a_poor_outline():
    true, pred = row((1, 5), (2, 5)), row((8, 7), (9, 3))
    assert kinds(true, pred) == (["poor", "poor"], ["poor", "poor"])


def test_nothing_is_missed_or_false_where_there_is_nothing():
    empty, some = row((0, 6)), row((3, 2), (0, 2), (4, 2))
    assert kinds(empty, empty) == ([], [])
    assert kinds(some, empty) == (["missed"] * 2, [])
    assert kinds(empty, some) == ([], ["false"] * 2)
    assert ev.error_kinds(empty, empty).counts == ev.ErrorCounts()


def test_kinds_stand_beside_their_ids_and_are_counted():
    true = row((9, 4), (2, 4), (0, 2), (5, 4), (0, 4))
    pred = row((3, 8), (0, 2), (1, 4), (0, 2), (2, 2))
    found = ev.error_kinds(true, pred)
    assert dict(zip(found.true_ids.tolist(), found.true_kinds, strict=True)) == {
        2: "merged",
        5: "good",
        9: "merged",
    }
    assert found.found_ids.tolist() == [1, 2, 3]
    assert found.found_kinds.tolist() == ["good", "false", "merge"]
    assert found.counts == ev.ErrorCounts(good=1, merged=2, false=1)
    assert found.counts.n_true == 3


def test_counts_of_images_are_added():
    a, b = ev.ErrorCounts(good=1, missed=2), ev.ErrorCounts(good=3, false=4)
    assert ev.ErrorCounts.total([a, b]) == ev.ErrorCounts(good=4, missed=2, false=4)
    assert ev.ErrorCounts.total([]) == ev.ErrorCounts()


@given(LABELS, LABELS)
def test_every_object_has_one_kind_and_is_counted_once(true, pred):
    found = ev.error_kinds(true, pred)
    assert set(found.true_kinds) <= set(TRUE_KINDS)
    assert set(found.found_kinds) <= set(FOUND_KINDS)
    assert found.counts.n_true == np.unique(true[true > 0]).size
    assert len(found.found_kinds) == np.unique(pred[pred > 0]).size
    assert found.counts.good == (found.found_kinds == "good").sum()
    assert found.counts.false <= len(found.found_kinds)


@given(LABELS, LABELS)
def test_kinds_agree_with_looking_at_one_object_after_the_other(true, pred):
    found = ev.error_kinds(true, pred)
    preds = [pred == i for i in np.unique(pred[pred > 0])]
    trues = [true == i for i in np.unique(true[true > 0])]
    for kind, t in zip(found.true_kinds, trues, strict=True):
        iou = max([(t & p).sum() / (t | p).sum() for p in preds], default=0)
        covering = [p for p in preds if (t & p).sum() > t.sum() / 2]
        merged = any(
            (o & p).sum() > o.sum() / 2 for p in covering for o in trues if o is not t
        )
        split = sum((t & p).sum() > p.sum() / 2 for p in preds) > 1
        rules = [iou >= 0.75, merged, split, iou >= 0.25, True]
        assert kind == TRUE_KINDS[rules.index(True)]


@given(LABELS)
def test_a_perfect_prediction_has_no_error(labels):
    n = np.unique(labels[labels > 0]).size
    assert ev.error_kinds(labels, labels).counts == ev.ErrorCounts(good=n)


@given(LABELS, LABELS)
def test_with_the_sides_exchanged_missed_is_false(true, pred):
    there, back = ev.error_kinds(true, pred), ev.error_kinds(pred, true)
    assert there.counts.false == back.counts.missed
    assert there.counts.missed == back.counts.false


def test_what_are_no_label_images_of_one_field_is_refused():
    with pytest.raises(ValueError, match="same field and size"):
        ev.error_kinds(row((1, 3)), row((1, 4)))
