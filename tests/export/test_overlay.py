import imageio.v3 as iio
import numpy as np
import pytest

from napari_pffnet.export.overlay import draw_overlay, write_overlay

RED, YELLOW, TURQUOISE = (230, 30, 30), (255, 220, 0), (60, 255, 200)


@pytest.fixture
def labels():
    """One object of 4 x 4 pixels and one of a single pixel."""
    labels = np.zeros((8, 8), np.int32)
    labels[1:5, 1:5], labels[6, 6] = 1, 2
    return labels


def test_only_the_outermost_pixels_of_objects_are_coloured(labels):
    picture = draw_overlay(np.full((8, 8), 0.2), labels, [1.0, 0.0])
    assert picture.dtype == np.uint8
    assert picture[0, 0].tolist() == picture[2, 2].tolist() == [51, 51, 51]
    outline = np.ones((4, 4), bool)
    outline[1:3, 1:3] = False
    assert (picture[1:5, 1:5][outline] == TURQUOISE).all()
    assert tuple(picture[6, 6]) == RED


@pytest.mark.parametrize(
    ("value", "color"), [(0.5, YELLOW), (float("nan"), RED), (0.25, (242, 125, 15))]
)
def test_the_colour_tells_the_value(labels, value, color):
    picture = draw_overlay(np.zeros((8, 8)), labels, [1.0, value])
    assert np.abs(picture[6, 6].astype(int) - color).max() <= 1


def test_touching_objects_are_both_outlined():
    labels = np.repeat([[1, 1, 2, 2]], 4, axis=0)
    picture = draw_overlay(np.zeros((4, 4)), labels, [0.0, 1.0])
    assert (picture[1:3, 1] == RED).all()
    assert (picture[1:3, 2] == TURQUOISE).all()


def test_colour_images_keep_their_colours_and_two_channels_show_the_first():
    empty = np.zeros((1, 2), np.int32)
    color = np.array([[(1.0, 0.0, 0.5), (0.0, 0.0, 2.0)]])
    assert draw_overlay(color, empty, []).tolist() == [[[255, 0, 128], [0, 0, 255]]]
    two = draw_overlay(color[..., :2], empty, [])
    assert two.tolist() == [[[255] * 3, [0] * 3]]


def test_the_picture_is_written_as_png(labels, tmp_path):
    image, path = np.zeros((8, 8, 3)), tmp_path / "overlay.png"
    write_overlay(image, labels, [0.3, 0.6], path)
    assert (iio.imread(path) == draw_overlay(image, labels, [0.3, 0.6])).all()
