import numpy as np
import pytest
from scipy.spatial.distance import cdist, directed_hausdorff

from napari_pffnet import evaluation as ev


def rectangles(*boxes, shape=(60, 80)):
    """Return a label image of half-open boxes y0, x0, y1, x1."""
    labels = np.zeros(shape, np.int32)
    for number, (y0, x0, y1, x1) in enumerate(boxes, 1):
        labels[y0:y1, x0:x1] = number
    return labels


def literal(true, pred):
    """Compute the definition of the challenge object by object."""

    def hausdorff(a, b):
        return max(directed_hausdorff(a, b)[0], directed_hausdorff(b, a)[0])

    def one_way(labels, other):
        total = 0.0
        for i in np.unique(labels[labels > 0]):
            met, counts = np.unique(other[labels == i], return_counts=True)
            counts = np.where(met > 0, counts, 0)
            near = (
                [met[counts.argmax()]] if counts.any() else np.unique(other[other > 0])
            )
            points = np.argwhere(labels == i)
            least = min(hausdorff(points, np.argwhere(other == j)) for j in near)
            total += len(points) * least / (labels > 0).sum()
        return total

    return (one_way(true, pred) + one_way(pred, true)) / 2


def test_equal_images_are_0_apart():
    labels = rectangles((2, 3, 12, 9), (30, 40, 50, 41))
    assert ev.object_hausdorff(labels, labels * 3) == 0


def test_an_object_that_is_moved_is_as_far_as_it_was_moved():
    true, pred = rectangles((10, 10, 20, 20)), rectangles((13, 14, 23, 24))
    # The corner (10, 10) is 5 from the nearest pixel, (13, 14).
    assert ev.object_hausdorff(true, pred) == pytest.approx(5)


def test_the_distance_to_a_ring_is_largest_inside_it():
    disc = rectangles((10, 10, 21, 21))
    ring = disc.copy()
    ring[11:20, 11:20] = 0
    # From the centre to the ring.
    assert ev.object_hausdorff(disc, ring) == pytest.approx(5)


def test_objects_count_by_their_areas():
    true = rectangles((0, 0, 10, 10), (40, 40, 60, 55))
    pred = rectangles((0, 0, 10, 12), (40, 40, 60, 55))
    # 2 px off: 100 of 400 true pixels, 120 of 420 predicted ones.
    assert ev.object_hausdorff(true, pred) == pytest.approx(
        (100 / 400 + 120 / 420) * 2 / 2
    )


def test_an_object_that_meets_none_is_compared_with_the_nearest():
    true = rectangles((0, 0, 5, 5), (20, 20, 25, 25))
    pred = rectangles((20, 20, 25, 25), (0, 60, 5, 65))
    # True 1 is 20 * sqrt(2) from prediction 1, prediction 2 is nearer to true 2.
    assert ev.object_hausdorff(true, pred) == pytest.approx(
        (np.hypot(20, 20) / 2 + np.hypot(20, 40) / 2) / 2
    )


def test_of_the_partners_the_largest_overlap_wins():
    true = rectangles((0, 0, 10, 20))
    pred = rectangles((0, 0, 10, 4), (0, 4, 10, 20))
    # Prediction 2 is the partner, 4 away; prediction 1 is 16 away.
    of_pred = (40 * 16 + 160 * 4) / 200
    assert ev.object_hausdorff(true, pred) == pytest.approx((4 + of_pred) / 2)


@pytest.mark.parametrize("seed", range(15))
def test_it_is_the_literal_definition(seed):
    rng = np.random.default_rng(seed)

    def draw():
        # Boxes that overlap leave objects of all shapes, in pieces too.
        corners = rng.integers(0, (50, 70), (rng.integers(1, 9), 2))
        sides = rng.integers(1, 25, corners.shape)
        return rectangles(*np.hstack([corners, corners + sides]).tolist())

    true, pred = draw(), draw()
    assert ev.object_hausdorff(true, pred) == pytest.approx(literal(true, pred))


@pytest.mark.parametrize("seed", range(3))
def test_many_small_objects_that_meet_none_find_the_nearest(seed):
    rng = np.random.default_rng(seed)

    def draw():
        corners = rng.integers(0, (55, 75), (20, 2))
        sides = rng.integers(1, 5, corners.shape)
        return rectangles(*np.hstack([corners, corners + sides]).tolist())

    true, pred = draw(), draw()
    assert ev.object_hausdorff(true, pred) == pytest.approx(literal(true, pred))


def test_without_objects_it_is_0_and_with_those_of_one_side_infinite():
    empty, one = np.zeros((8, 8), int), rectangles((1, 1, 3, 3), shape=(8, 8))
    assert ev.object_hausdorff(empty, empty) == 0
    assert ev.object_hausdorff(empty, one) == ev.object_hausdorff(one, empty) == np.inf


def test_a_report_leaves_out_the_images_where_it_is_infinite():
    empty, one = np.zeros((8, 8), int), rectangles((1, 1, 3, 3), shape=(8, 8))
    moved = rectangles((1, 2, 3, 4), shape=(8, 8))
    report = ev.evaluate([one, one], [moved, empty])
    assert report["object_hausdorff"] == pytest.approx(1)
    assert "object_hausdorff" not in report["images"][1]


def test_far_objects_find_the_nearest_by_their_pixels_not_their_boxes():
    # The box of the first is nearer, its pixels are not.
    pred = np.zeros((60, 80), np.int32)
    y, x = np.indices(pred.shape)
    pred[(y + x > 60) & (y + x < 64) & (y < 40) & (x < 60)] = 1
    pred[0:6, 20:26] = 2
    true = rectangles((0, 0, 6, 6))
    points = np.argwhere(true)
    assert (
        cdist(points, np.argwhere(pred == 2)).min()
        < cdist(points, np.argwhere(pred == 1)).min()
    )
    assert ev.object_hausdorff(true, pred) == pytest.approx(literal(true, pred))
