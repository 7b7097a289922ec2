"""What must hold of candidates whatever they are, and of label images drawn of them."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_pffnet.instances import Instances

SHAPE = (12, 15)
EXAMPLES = settings(max_examples=50, deadline=None)
UNIT = st.floats(0, 1, width=32)

label_images = hnp.arrays(
    st.sampled_from(["u1", "u2", ">u2", "i2", "i4", "i8", "u8"]),
    hnp.array_shapes(min_dims=2, max_dims=2, max_side=12),
    elements=st.sampled_from([0, 1, 2, 5, 120]),
)


@st.composite
def candidates(draw):
    """Draw overlapping boxes with masks of random grids."""
    count = draw(st.integers(0, 12))
    corners = hnp.arrays(np.float64, (count, 2), elements=st.floats(-3, 14))
    sizes = hnp.arrays(np.float64, (count, 2), elements=st.floats(0.5, 9))
    grids = hnp.arrays(np.float32, (count, 3, 3), elements=UNIT)
    low = draw(corners)
    scores = hnp.arrays(np.float32, count, elements=UNIT)
    qualities = hnp.arrays(
        np.float32, count, elements=st.one_of(UNIT, st.just(float("nan")))
    )
    return Instances.from_mask_grids(
        draw(grids),
        np.concatenate([low, low + draw(sizes)], axis=1),
        np.ones(count),
        draw(scores),
        draw(qualities),
        SHAPE,
    )


def whole_mask(found, i):
    mask = np.zeros(found.shape, np.bool_)
    y0, x0, y1, x1 = found.boxes[i]
    mask[y0:y1, x0:x1] = found.mask(i)
    return mask


@EXAMPLES
@given(candidates(), UNIT, UNIT, UNIT)
def test_painted_ids_have_no_gaps_and_stay_inside_their_masks(
    found, score, quality, covered
):
    painted = found.paint(
        score_threshold=score, quality_threshold=quality, covered=covered
    )
    ids = np.unique(painted.labels)
    assert ids[ids > 0].tolist() == list(range(1, len(painted.index) + 1))
    assert (np.diff(found.confidences[painted.index]) <= 0).all()
    for number, i in enumerate(painted.index.tolist(), 1):
        assert found.scores[i] >= score
        assert not found.qualities[i] < quality
        assert whole_mask(found, i)[painted.labels == number].all()


@EXAMPLES
@given(candidates())
def test_no_pixel_of_a_painted_object_is_left_out(found):
    painted = found.paint(score_threshold=0, covered=1)
    masks = [whole_mask(found, i) for i in painted.index.tolist()]
    union = np.any([np.zeros(SHAPE, np.bool_), *masks], axis=0)
    np.testing.assert_array_equal(painted.labels > 0, union)


@EXAMPLES
@given(label_images)
def test_labels_come_back_numbered_without_gaps(labels):
    before = labels.copy()
    found = Instances.from_labels(labels)
    _, dense = np.unique(np.append(labels, 0), return_inverse=True)
    np.testing.assert_array_equal(found.to_labels(), dense[:-1].reshape(labels.shape))
    np.testing.assert_array_equal(labels, before)


@EXAMPLES
@given(label_images)
def test_the_table_measures_what_is_painted(labels):
    found = Instances.from_labels(labels)
    painted = found.paint()
    table = found.to_table(painted.labels, painted.index, ("object",))
    assert table["area"].tolist() == np.bincount(painted.labels.flat)[1:].tolist()
    for row in table.itertuples():
        y, x = np.nonzero(painted.labels == row.label)
        box = (row.bbox_y0, row.bbox_x0, row.bbox_y1, row.bbox_x1)
        assert box == (y.min(), x.min(), y.max() + 1, x.max() + 1)


@EXAMPLES
@given(candidates(), st.integers(0, 12), st.integers(0, 12))
def test_moved_there_and_back_nothing_is_changed(found, dy, dx):
    larger = (SHAPE[0] + 12, SHAPE[1] + 12)
    back = found.shift(dy, dx, larger).shift(-dy, -dx, SHAPE)
    np.testing.assert_array_equal(back.masks, found.masks)
    np.testing.assert_array_equal(back.boxes, found.boxes)
