import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage.metrics import contingency_table

from napari_pffnet.evaluation import measure_overlap

LABELS = hnp.arrays(np.int64, (5, 6), elements=st.sampled_from([0, 1, 4, 9]))

TRUE = np.array([[3, 3, 0], [3, 9, 9]])
PRED = np.array([[5, 5, 5], [2, 2, 0]])


def test_every_touching_pair_is_counted():
    overlap = measure_overlap(TRUE, PRED)
    assert overlap.true_ids.tolist() == [3, 9]
    assert overlap.pred_ids.tolist() == [2, 5]
    assert overlap.true_areas.tolist() == [3, 2]
    assert overlap.pred_areas.tolist() == [2, 3]
    assert overlap.true_index.tolist() == [0, 0, 1]
    assert overlap.pred_index.tolist() == [0, 1, 0]
    assert overlap.intersections.tolist() == [1, 2, 1]
    assert overlap.ious == pytest.approx([1 / 4, 2 / 4, 1 / 3])
    assert overlap.dices == pytest.approx([2 / 5, 4 / 6, 2 / 4])


@given(LABELS, LABELS)
def test_it_is_the_contingency_table_of_scikit_image(true, pred):
    overlap = measure_overlap(true, pred)
    table = contingency_table(true, pred).toarray()
    dense = np.zeros_like(table)
    rows = overlap.true_ids[overlap.true_index]
    dense[rows, overlap.pred_ids[overlap.pred_index]] = overlap.intersections
    table[0], table[:, 0] = 0, 0
    np.testing.assert_array_equal(dense, table)


@pytest.mark.parametrize("dtype", ["u1", "i2", ">u2", "<i4", ">i4", "u4", "i8", "u8"])
def test_any_integer_dtype_gives_the_same(dtype):
    overlap = measure_overlap(TRUE.astype(dtype), PRED.T.copy().T.astype(dtype))
    assert overlap.intersections.tolist() == [1, 2, 1]


def test_ids_may_be_as_large_as_the_dtype_allows():
    largest = np.iinfo(np.uint64).max
    overlap = measure_overlap(np.array([[largest, 1]], np.uint64), np.array([[1, 1]]))
    assert overlap.true_ids.tolist() == [1, largest]
    assert overlap.intersections.tolist() == [1, 1]


def test_no_pixels_and_no_background_are_fine():
    nothing = measure_overlap(np.zeros((0, 4), int), np.zeros((0, 4), int))
    assert (nothing.n_true, nothing.n_pred) == (0, 0)
    full = measure_overlap(np.full((2, 2), 7), np.full((2, 2), 8))
    assert full.ious.tolist() == [1]


def test_selected_objects_keep_their_whole_areas():
    overlap = measure_overlap(TRUE, PRED)
    part = overlap.select(np.array([False, True]), np.array([True, True]))
    assert part.true_ids.tolist() == [9]
    assert part.pred_areas.tolist() == [2, 3]
    assert part.true_index.tolist() == [0]
    assert part.pred_index.tolist() == [0]
    assert part.intersections.tolist() == [1]


@pytest.mark.parametrize(
    ("true", "pred", "word"),
    [
        (np.zeros((2, 2), int), np.zeros((2, 3), int), r"\(2, 2\).*\(2, 3\)"),
        (np.zeros((2, 2)), np.zeros((2, 2), int), "float64"),
        (np.zeros((2, 2), int), np.zeros((2, 2), bool), "bool"),
        (np.zeros((2, 2), int), np.full((2, 2), -4), "-4"),
    ],
)
def test_what_is_no_pair_of_label_images_is_refused(true, pred, word):
    with pytest.raises(ValueError, match=word):
        measure_overlap(true, pred)
