"""What must hold of all metrics, whatever the label images look like."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_pffnet.evaluation import METRICS, evaluate_image
from napari_pffnet.instances import Instances

KINDS = st.sampled_from(["u1", "u2", ">u2", "i2", "u4", "i8", "u8"])
SHARES = set(METRICS) - {"count_difference", "object_hausdorff", "bpq", "mpq"}
# Matched in the order of the ids, or by what covers the truth.
ONE_WAY = {"aji", "aji_plus", "f1_coverage"}
# Of equal choices the lower id is taken.
BY_ID = {"aji", "aji_plus", "object_dice", "object_hausdorff"}


@st.composite
def pairs(draw):
    """Draw two label images of one shape, each of any integer type."""
    shape = draw(hnp.array_shapes(min_dims=2, max_dims=2, max_side=9))
    ids = st.sampled_from([0, 0, 1, 2, 5, 120])
    return tuple(draw(hnp.arrays(draw(KINDS), shape, elements=ids)) for _ in "tp")


def scores_of(true, pred):
    scores = evaluate_image(true, pred)
    return {name: getattr(scores, name) for name in METRICS}


@given(pairs())
def test_shares_lie_between_none_and_all(pair):
    before = [labels.copy() for labels in pair]
    scores = scores_of(*pair)
    assert {name for name in SHARES if not 0 <= scores[name] <= 1 + 1e-12} == set()
    for labels, copy in zip(pair, before, strict=True):
        np.testing.assert_array_equal(labels, copy)


@given(pairs())
def test_a_segmentation_agrees_with_itself(pair):
    true, _ = pair
    scores = scores_of(true, true.astype(np.int64))
    assert {scores[name] for name in SHARES} == {1}
    assert scores["count_difference"] == scores["object_hausdorff"] == 0


@given(pairs())
def test_truth_and_prediction_may_change_places(pair):
    one, other = scores_of(*pair), scores_of(*pair[::-1])
    for name in SHARES - ONE_WAY:
        assert one[name] == pytest.approx(other[name]), name
    assert one["count_difference"] == other["count_difference"]


@given(pairs(), st.randoms(use_true_random=False))
def test_the_numbers_of_the_objects_do_not_matter(pair, random):
    numbers = random.sample(range(1, 2**62), 120)
    renamed = [np.array([0, *numbers])[labels] for labels in pair]
    one, other = scores_of(*pair), scores_of(*renamed)
    for name in set(METRICS) - BY_ID - {"bpq", "mpq"}:
        assert one[name] == pytest.approx(other[name]), name


@given(pairs())
def test_mirrored_images_score_the_same(pair):
    one, other = scores_of(*pair), scores_of(*(labels[::-1].T for labels in pair))
    for name in set(METRICS) - {"bpq", "mpq"}:
        assert one[name] == pytest.approx(other[name]), name


@given(pairs())
def test_nothing_on_one_side_is_worth_nothing_and_on_both_all(pair):
    true, _ = pair
    empty = np.zeros_like(true)
    for sides in ((true, empty), (empty, true)):
        scores = scores_of(*sides)
        assert {scores[name] for name in SHARES} == {float(not true.any())}
    assert scores["object_hausdorff"] == (None if true.any() else 0)


@given(pairs())
def test_painted_again_the_objects_are_the_same(pair):
    true, pred = pair
    painted = Instances.from_labels(pred).to_labels()
    assert scores_of(true, painted) == scores_of(true, pred)
