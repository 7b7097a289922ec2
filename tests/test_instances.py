from __future__ import annotations

import numpy as np
import pytest

from napari_pffnet.instances import Instances, label_extents


def from_rows(*rows: str) -> np.ndarray:
    return np.array([[int(c) for c in row] for row in rows], np.int32)


def ellipse(diameter, rng):
    ry, rx = diameter / 2 * rng.uniform(0.7, 1, 2)
    cy, cx = rng.uniform(60, 64, 2)
    y, x = np.mgrid[:124, :124] + 0.5
    return ((y - cy) / ry) ** 2 + ((x - cx) / rx) ** 2 <= 1


def target_grid(mask, box, cells=28, fine=12):
    """Return 1 where more than half of a cell of the box is object."""
    x0, y0, x1, y1 = box
    steps = (np.arange(cells * fine) + 0.5) / (cells * fine)
    y, x = (y0 + steps * (y1 - y0)).astype(int), (x0 + steps * (x1 - x0)).astype(int)
    shares = mask[np.ix_(y, x)].reshape(cells, fine, cells, fine).mean(axis=(1, 3))
    return (shares > 0.5).astype(np.float32)


def paint_ellipses(diameters, rng):
    """Return mean IoU and centroid shift of ellipses that went through 28 x 28."""
    ious, shifts = [], []
    for diameter in diameters:
        true = ellipse(diameter, rng)
        y0, x0, y1, x1 = Instances.from_labels(true.astype(int)).boxes[0]
        grid = target_grid(true, (x0, y0, x1, y1))
        found = Instances.from_mask_grids(
            grid[None], np.array([[x0, y0, x1, y1]]), [1], [1.0], [1.0], true.shape
        )
        painted = found.to_labels() > 0
        ious.append((true & painted).sum() / (true | painted).sum())
        shifts.append(np.argwhere(painted).mean(0) - np.argwhere(true).mean(0))
    return np.mean(ious), np.abs(np.mean(shifts, axis=0)).max()


@pytest.mark.parametrize(("largest", "bar"), [(28, 0.99), (100, 0.97)])
def test_true_boxes_painted_back_give_the_object_without_a_shift(largest, bar):
    rng = np.random.default_rng(0)
    iou, shift = paint_ellipses(rng.uniform(8, largest, 150), rng)
    assert iou >= bar
    assert shift < 0.05


def test_mask_grid_is_read_at_pixel_centres_of_an_unrounded_box():
    # 2 x 2 cells over [0.6, 4.6): cell centres at 1.6 and 3.6, so the value
    # crosses 0.5 at 2.6; pixel centres in the box are 1.5 .. 4.5 (0.5 is not).
    grid = np.array([[[1, 0], [1, 0]]], np.float32)
    box = np.array([[0.6, 0.6, 4.6, 4.6]])
    found = Instances.from_mask_grids(grid, box, [1], [0.9], [0.8], (6, 6))
    assert found.boxes.tolist() == [[1, 1, 5, 5]]
    assert found.mask(0).tolist() == [[True, True, False, False]] * 4


def test_rows_of_a_mask_grid_are_y():
    grid = np.array([[[1, 1], [0, 0]]], np.float32)
    found = Instances.from_mask_grids(
        grid, np.array([[0, 0, 4, 4.0]]), [1], [1.0], [1.0], (4, 4)
    )
    assert found.to_labels().tolist() == [[1] * 4, [1] * 4, [0] * 4, [0] * 4]


def test_candidates_without_a_pixel_are_left_out_and_windows_end_at_the_image():
    grids = np.ones((4, 3, 3), np.float32)
    grids[0] = 0
    boxes = np.array(
        [[0, 0, 3, 3], [1.6, 1.6, 2.4, 2.4], [-5, 2, 2, 99], [9, 9, 12, 12]],
    )
    found = Instances.from_mask_grids(
        grids, boxes, [1, 2, 3, 4], [0.9] * 4, [0.9] * 4, (5, 5)
    )
    # 0 has no object, 1 holds no pixel centre, 3 lies outside.
    assert found.class_ids.tolist() == [3]
    assert found.boxes.tolist() == [[2, 0, 5, 2]]
    assert found.areas.tolist() == [6]


def test_confidence_is_score_times_quality_or_the_score():
    labels = from_rows("12")
    found = Instances.from_labels(labels, scores=[0.5, 0.8], qualities=[0.5, np.nan])
    np.testing.assert_allclose(found.confidences, [0.25, 0.8])


def two_rows(scores, qualities=(np.nan, np.nan)):
    """Return a 1 x 4 object over columns 0-3 and one over columns 2-5."""
    left = Instances.from_labels(from_rows("111100"))
    right = Instances.from_labels(from_rows("001111"))
    both = Instances.concat([left, right])
    return Instances(
        both.boxes,
        both.masks,
        both.offsets,
        both.class_ids,
        np.array(scores, np.float32),
        np.array(qualities, np.float32),
        both.shape,
    )


def test_overlap_belongs_to_the_higher_confidence():
    assert two_rows((0.6, 0.9)).to_labels().tolist() == [[2, 2, 1, 1, 1, 1]]
    assert two_rows((0.9, 0.6)).to_labels().tolist() == [[1, 1, 1, 1, 2, 2]]
    # Quality turns the order round: 0.9 * 0.5 < 0.6 * 0.9.
    flipped = two_rows((0.9, 0.6), (0.5, 0.9))
    assert flipped.to_labels().tolist() == [[2, 2, 1, 1, 1, 1]]
    assert flipped.paint().index.tolist() == [1, 0]


def test_ties_go_to_the_first():
    assert two_rows((0.7, 0.7)).to_labels().tolist() == [[1, 1, 1, 1, 2, 2]]


def test_covered_objects_and_low_scores_are_left_out():
    both = two_rows((0.9, 0.6))
    # Half of the second is covered.
    assert both.to_labels(covered=0.5).max() == 2
    assert both.to_labels(covered=0.49).tolist() == [[1, 1, 1, 1, 0, 0]]
    assert both.to_labels(score_threshold=0.7).max() == 1


def test_an_object_that_keeps_no_pixel_takes_no_id():
    twice = Instances.from_labels(from_rows("110"))
    painted = Instances.concat([twice, twice]).paint(covered=1)
    assert painted.labels.tolist() == [[1, 1, 0]]
    assert painted.index.tolist() == [0]


def test_labels_survive_a_round_trip_with_gaps_in_their_ids():
    labels = from_rows("0770", "9070", "9900", "0002")
    found = Instances.from_labels(labels, class_ids=[3, 1, 2])
    assert found.areas.tolist() == [1, 3, 3]
    assert found.class_ids.tolist() == [3, 1, 2]
    assert found.to_labels().tolist() == [
        [0, 2, 2, 0],
        [3, 0, 2, 0],
        [3, 3, 0, 0],
        [0, 0, 0, 1],
    ]


@pytest.mark.parametrize("largest", [7, 9, 2**31, 2**63 + 5])
def test_extents_of_labels_whatever_their_numbers(largest):
    labels = from_rows("0300", "3300", "0001").astype(np.uint64)
    labels[labels == 3] = largest
    ids, boxes, areas = label_extents(labels)
    assert ids.tolist() == [1, largest]
    assert ids.dtype == np.uint64
    assert boxes.tolist() == [[2, 3, 3, 4], [0, 0, 2, 2]]
    assert areas.tolist() == [1, 3]


@pytest.mark.parametrize("shape", [(0, 5), (3, 3)])
def test_labels_without_objects_have_no_extents(shape):
    ids, boxes, areas = label_extents(np.zeros(shape, np.int16))
    assert len(ids) == len(areas) == 0
    assert boxes.shape == (0, 4)


def test_selection_keeps_masks_with_their_objects():
    found = Instances.from_labels(from_rows("1102", "3302"))
    chosen = found.select([2, 1])
    assert chosen.mask(0).tolist() == [[True, True]]
    assert chosen.mask(1).tolist() == [[True], [True]]
    assert found.select([False, True, False]).boxes.tolist() == [[0, 3, 2, 4]]


def test_shift_moves_into_a_larger_image_and_cuts_at_its_border():
    found = Instances.from_labels(from_rows("11", "12"))
    assert found.shift(1, 2, (3, 4)).to_labels().tolist() == [
        [0, 0, 0, 0],
        [0, 0, 1, 1],
        [0, 0, 1, 2],
    ]
    assert found.shift(-1, 0, (2, 2)).to_labels().tolist() == [[1, 2], [0, 0]]
    assert len(found.shift(0, 9, (2, 4))) == 0


def test_parts_of_different_images_cannot_be_joined():
    with pytest.raises(ValueError, match=r"\(1, 2\), \(1, 3\)"):
        Instances.concat([Instances.empty((1, 2)), Instances.empty((1, 3))])


def test_intersection_counts_shared_pixels():
    both = two_rows((0.9, 0.9))
    assert both.intersection(0, 1) == 2
    assert Instances.from_labels(from_rows("1002")).intersection(0, 1) == 0


def test_table_describes_what_is_painted():
    both = two_rows((0.6, 0.9), (np.nan, 0.5))
    painted = both.paint()
    table = both.to_table(painted.labels, painted.index, ("cell",), pixel_size_um=0.5)
    assert list(table.columns) == [
        *("label", "class", "class_id", "score", "quality", "confidence", "area"),
        *("bbox_y0", "bbox_x0", "bbox_y1", "bbox_x1", "touches_border", "area_um2"),
    ]
    # Confidences are 0.6 and 0.45: the first keeps its 4 pixels.
    assert table["label"].tolist() == [1, 2]
    assert table["area"].tolist() == [4, 2]
    assert table["area_um2"].tolist() == [1.0, 0.5]
    assert table.loc[1, "bbox_y0":"bbox_x1"].tolist() == [0, 4, 1, 6]
    np.testing.assert_allclose(table["confidence"], [0.6, 0.45], rtol=1e-6)
    assert np.isnan(table["quality"][0])
    assert table["class"].tolist() == ["cell", "cell"]


def test_only_objects_at_the_border_touch_it():
    labels = from_rows("1000", "0020", "0000", "0003")
    found = Instances.from_labels(labels)
    painted = found.paint()
    table = found.to_table(painted.labels, painted.index, ("cell",))
    assert table["touches_border"].tolist() == [True, False, True]


def test_no_candidates_give_an_empty_image_and_table():
    none = Instances.empty((2, 3))
    painted = none.paint()
    assert painted.labels.tolist() == [[0, 0, 0], [0, 0, 0]]
    assert len(none.to_table(painted.labels, painted.index, ("cell",))) == 0
    assert len(Instances.from_labels(painted.labels)) == 0
