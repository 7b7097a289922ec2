"""What must hold of training targets, whatever the label image looks like."""

from __future__ import annotations

import math

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_pffnet.data.targets import image_target
from napari_pffnet.data.training_image import number_densely
from napari_pffnet.pffnet.targets import mask_targets

EXAMPLES = settings(max_examples=50, deadline=None)
SHAPES = hnp.array_shapes(min_dims=2, max_dims=2, max_side=10)
HUGE = 2**63 + 5


@st.composite
def truths(draw):
    """Draw a label image, a map of what is unknown, and the least area."""
    shape = draw(SHAPES)
    ids = st.sampled_from([0, 0, 1, 2, 3, 9])
    labels = draw(hnp.arrays(st.sampled_from(["u1", "i4", "i8"]), shape, elements=ids))
    unknown = draw(hnp.arrays(np.bool_, shape))
    return labels, unknown & draw(st.booleans()), draw(st.integers(0, 6))


@EXAMPLES
@given(truths())
def test_each_pixel_is_known_object_background_or_ignored(truth):
    labels, unknown, least = truth
    target = image_target(labels, ignore=unknown, min_area=least)
    label_map, ignore = target.label_map.numpy(), target.ignore.numpy()
    assert not (ignore & (label_map > 0)).any()
    assert ignore[unknown].all()
    np.testing.assert_array_equal((label_map > 0) | ignore, (labels > 0) | unknown)


@EXAMPLES
@given(truths())
def test_objects_have_the_pixels_areas_and_boxes_of_their_labels(truth):
    labels, unknown, least = truth
    target = image_target(labels, ignore=unknown, min_area=least)
    label_map = target.label_map.numpy()
    ids = np.unique(label_map[label_map > 0]).tolist()
    assert ids == list(range(1, len(target.boxes) + 1))
    known = np.where(unknown, 0, labels)
    numbers, areas = np.unique(known[known > 0], return_counts=True)
    large = numbers[areas >= max(least, 1)]
    for i, number in enumerate(large.tolist()):
        np.testing.assert_array_equal(label_map == i + 1, known == number)
        y, x = np.nonzero(known == number)
        assert target.areas[i] == len(y)
        box = [x.min(), y.min(), x.max() + 1, y.max() + 1]
        assert target.boxes[i].tolist() == box
    assert len(large) == len(ids)


@EXAMPLES
@given(truths())
def test_a_mask_target_on_its_own_box_has_the_area_of_the_object(truth):
    labels, unknown, _ = truth
    target = image_target(labels, ignore=unknown, min_area=1)
    for i, (x0, y0, x1, y1) in enumerate(target.boxes.int().tolist()):
        # As many samples in each pixel, so that their share is exact.
        size = math.lcm(y1 - y0, x1 - x0)
        box, number = target.boxes[i : i + 1], torch.tensor([i])
        found = mask_targets([target], box, torch.tensor([0]), number, size)
        box_area = (y1 - y0) * (x1 - x0)
        torch.testing.assert_close(found.covered.mean() * box_area, target.areas[i])
        hidden = target.ignore[y0:y1, x0:x1].float().mean()
        torch.testing.assert_close(1 - found.known.mean(), hidden)


@EXAMPLES
@given(truths())
def test_where_nothing_is_hidden_all_is_known(truth):
    labels, _, _ = truth
    target = image_target(labels, min_area=1)
    numbers = torch.arange(len(target.boxes))
    found = mask_targets([target], target.boxes, numbers * 0, numbers, 7)
    assert (found.known == 1).all()
    assert ((found.covered >= 0) & (found.covered <= 1)).all()


@EXAMPLES
@given(
    hnp.arrays(
        st.sampled_from(["u1", ">u2", "u8", "i8", "f4"]),
        SHAPES,
        elements=st.sampled_from([0, 1, 3, 200]),
    )
)
def test_dense_numbers_lead_back_to_those_of_the_annotator(labels):
    dense, numbers = number_densely(labels)
    assert dense.dtype == np.int32
    np.testing.assert_array_equal(np.append(0, numbers)[dense], labels)
    assert (np.diff(numbers) > 0).all()


def test_the_largest_numbers_are_not_turned_round():
    labels = np.array([[0, 7, HUGE]], np.uint64)
    dense, numbers = number_densely(labels)
    assert dense.tolist() == [[0, 1, 2]]
    assert numbers.tolist() == [7, HUGE]
