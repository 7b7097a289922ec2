import numpy as np
import pytest
from scipy.ndimage import find_objects

from napari_pffnet.data.parts import (
    at_scale,
    busiest_part,
    busiest_window,
    known_part,
    median_diameter,
)
from napari_pffnet.data.training_image import TrainingImage, drop_unknown


def annotated(labels, ignore=None):
    labels = np.asarray(labels, np.int32)
    gray = (labels > 0).astype(np.uint8) * 200
    image = np.broadcast_to(gray[..., None], (*labels.shape, 3))
    classes = np.arange(1, labels.max() + 1)
    return TrainingImage(image, labels, ignore, classes, "a")


def squares(side, *corners, size=10):
    labels = np.zeros((side, side), int)
    for number, (y, x) in enumerate(corners, start=1):
        labels[y : y + size, x : x + size] = number
    return labels


def test_what_lies_for_the_most_part_in_the_unknown_is_no_object():
    ignore = np.zeros((60, 60), bool)
    ignore[:, 36:] = True
    seen = drop_unknown(annotated(squares(60, (10, 10), (10, 30), (30, 30)), ignore))
    assert seen.class_ids.tolist() == [1, 2, 3]
    ignore[:, 33:] = True
    left = drop_unknown(annotated(squares(60, (10, 10), (10, 30), (30, 30)), ignore))
    assert left.class_ids.tolist() == [1]
    assert left.ignore[10:20, 30:40].all()


def test_unknown_borders_are_cut_off_but_for_a_margin():
    ignore = np.ones((100, 100), bool)
    ignore[40:60, 20:50] = False
    part = known_part(annotated(squares(100, (45, 30), (80, 80)), ignore), margin=5)
    assert part.labels.shape == (30, 40)
    assert part.class_ids.tolist() == [1]
    assert part.labels[10, 15] == 1
    assert (~part.ignore).sum() == 20 * 30


@pytest.mark.parametrize("ignore", [None, np.ones((50, 50), bool)])
def test_an_image_known_wholly_or_not_at_all_stays_whole(ignore):
    image = annotated(squares(50, (10, 10)), ignore)
    assert known_part(image, margin=5) is image


def test_the_busiest_part_holds_most_objects_and_cuts_none_unnoticed():
    corners = [(10, 10), (150, 150), (150, 170), (170, 150)]
    part = busiest_part(annotated(squares(200, *corners)), side=64)
    assert part.labels.shape == (64, 64)
    assert part.class_ids.tolist() == [2, 3, 4]
    image = annotated(squares(40, (10, 10)))
    assert busiest_part(image, side=64) is image


def busiest_in_the_plain_way(labels, side):
    """Count the centres in the square around each object."""
    centers = [[(a.start + a.stop) / 2 for a in w] for w in find_objects(labels)]
    best, most = (0, 0), 0
    for center in centers:
        start = [
            min(max(round(c - side / 2), 0), max(length - side, 0))
            for c, length in zip(center, labels.shape, strict=True)
        ]
        inside = sum(
            all(s <= c < s + side for s, c in zip(start, other, strict=True))
            for other in centers
        )
        if inside > most:
            best, most = tuple(start), inside
    return tuple(slice(start, start + side) for start in best)


@pytest.mark.parametrize("seed", range(20))
def test_the_busiest_window_is_found_as_in_the_plain_way(seed):
    rng = np.random.default_rng(seed)
    shape = rng.integers(10, 60, 2)
    labels = np.zeros(shape, np.int32)
    for number in range(1, rng.integers(2, 60)):
        (y, x), (height, width) = rng.integers(0, shape), rng.integers(1, 9, 2)
        labels[y : y + height, x : x + width] = number
    image = annotated(np.unique(labels, return_inverse=True)[1].reshape(shape))
    side = int(rng.integers(1, 40))
    assert busiest_window(image, side=side) == busiest_in_the_plain_way(
        image.labels, side
    )


def test_the_busiest_window_of_nothing_is_the_first():
    nothing = annotated(np.zeros((50, 60)))
    assert busiest_window(nothing, side=20) == (slice(0, 20), slice(0, 20))


def test_an_image_at_another_scale_shows_the_same_objects():
    image = annotated(squares(60, (10, 10), (30, 40)), np.zeros((60, 60), bool))
    larger = at_scale(image, 2.0)
    assert larger.labels.shape == larger.ignore.shape == (120, 120)
    assert larger.image.shape == (120, 120, 3)
    assert (larger.labels[20:40, 20:40] == 1).all()
    assert np.bincount(larger.labels.ravel())[1:].tolist() == [400, 400]
    assert larger.image[30, 30, 0] == 200
    assert larger.image.strides[2] == 0
    assert median_diameter(larger) == pytest.approx(2 * median_diameter(image))


def test_objects_too_small_for_a_scale_lose_their_class_too():
    labels = squares(60, (10, 10))
    labels[51, 51] = 2
    smaller = at_scale(annotated(labels), 0.25)
    assert smaller.class_ids.tolist() == [1]
    assert median_diameter(at_scale(annotated(np.zeros((9, 9))), 2.0)) is None
