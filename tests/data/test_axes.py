import numpy as np
import pytest

from napari_pffnet.config import NormalizationConfig
from napari_pffnet.data.axes import (
    arrange,
    choose_channels,
    distinct_channels,
    repeat_channels,
)


def numbered(shape, dtype=np.uint16):
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


@pytest.mark.parametrize(
    ("shape", "axes", "expected"),
    [
        ((20, 30), None, (20, 30, 1)),
        ((20, 30), "YX", (20, 30, 1)),
        ((20, 30), "xy", (30, 20, 1)),
        ((20, 30, 3), None, (20, 30, 3)),
        ((20, 30, 5), None, (20, 30, 5)),
        ((4, 20, 30), "CYX", (20, 30, 4)),
        ((3, 20, 30), "SYX", (20, 30, 3)),
        ((1, 20, 30), None, (20, 30, 1)),
        ((1, 1, 20, 30), None, (20, 30, 1)),
        ((1, 2, 1, 20, 30), "TCZYX", (20, 30, 2)),
        ((1, 1), None, (1, 1, 1)),
        ((1, 30), "YX", (1, 30, 1)),
    ],
)
def test_channels_come_last(shape, axes, expected):
    assert arrange(numbered(shape), axes).pixels.shape == expected


def test_no_pixel_is_lost_or_moved():
    image = numbered((4, 6, 5))
    np.testing.assert_array_equal(
        arrange(image, "CXY").pixels, image.transpose(2, 1, 0)
    )


@pytest.mark.parametrize("shape", [(5, 20, 30), (20, 30, 40), (2, 3, 20, 30), (7,), ()])
def test_an_unclear_axis_is_an_error_that_names_shape_and_option(shape):
    with pytest.raises(ValueError, match="--axes") as error:
        arrange(np.zeros(shape))
    assert str(shape) in str(error.value)


@pytest.mark.parametrize("axes", ["CY", "CYXX", "QYX", "CSYX", "YX", "CYXZ"])
def test_axes_that_do_not_fit_are_refused(axes):
    with pytest.raises(ValueError, match="--axes"):
        arrange(np.zeros((3, 20, 30)), axes)


@pytest.mark.parametrize("axes", ["ZYX", "TYX"])
def test_several_planes_are_refused_with_a_remedy(axes):
    with pytest.raises(ValueError, match="--axes CYX"):
        arrange(np.zeros((4, 20, 30)), axes)


@pytest.mark.parametrize("dtype", [complex, "U3", object])
def test_pixels_that_are_no_numbers_are_refused(dtype):
    with pytest.raises(ValueError, match="intensities"):
        arrange(np.zeros((20, 30), dtype))


def test_an_image_without_pixels_is_refused():
    with pytest.raises(ValueError, match="no pixels"):
        arrange(np.zeros((0, 30)))


@pytest.mark.parametrize(
    ("shape", "axes", "dtype", "rgb", "channels"),
    [
        ((20, 30, 3), None, np.uint8, True, 3),
        ((20, 30, 4), None, np.uint8, True, 3),  # the fourth is opacity
        ((20, 30, 4), None, np.uint16, False, 4),
        ((20, 30, 4), "YXS", np.uint16, True, 3),
        ((20, 30, 2), "YXS", np.uint8, False, 1),  # grey and opacity
        ((3, 20, 30), "CYX", np.uint8, False, 3),
        ((3, 20, 30), "SYX", np.uint8, True, 3),
    ],
)
def test_colour_is_recognised(shape, axes, dtype, rgb, channels):
    image = arrange(numbered(shape, dtype), axes)
    assert image.rgb is rgb
    assert image.pixels.shape[-1] == channels


def test_named_channels_are_no_colours():
    names = ("DAPI", "GFP", "RFP")
    assert not arrange(numbered((20, 30, 3)), "YXC", channel_names=names).rgb


def channels_of(count, names=()):
    return arrange(numbered((count, 20, 30)), "CYX", channel_names=names)


def test_the_nuclear_channel_is_found_by_name_and_the_user_is_told():
    image = channels_of(3, ("GFP", "Hoechst 33342", "dapi"))
    choice = choose_channels(image)
    np.testing.assert_array_equal(choice.pixels[..., 0], image.pixels[..., 2])
    assert "dapi" in choice.note
    assert "3 channels" in choice.note


def test_without_such_a_name_the_first_is_taken_and_the_user_is_told():
    choice = choose_channels(channels_of(2, ("GFP", "RFP")))
    assert choice.pixels[0, 1, 0] == 1
    assert "first" in choice.note
    assert "--channels" in choice.note


def test_names_to_look_for_are_an_option():
    config = NormalizationConfig(channel_names=("RFP",))
    choice = choose_channels(channels_of(2, ("GFP", "RFP")), config=config)
    assert "RFP" in choice.note


@pytest.mark.parametrize("wanted", [(1,), ("1",), ("gfp",)])
def test_a_channel_is_chosen_by_number_or_name(wanted):
    image = channels_of(2, ("DAPI", "GFP"))
    choice = choose_channels(image, wanted)
    np.testing.assert_array_equal(choice.pixels[..., 0], image.pixels[..., 1])
    assert choice.note == ""


@pytest.mark.parametrize("wanted", [(2,), (-1,), ("RFP",), (0, 1)])
def test_channels_that_do_not_exist_or_fit_are_refused(wanted):
    with pytest.raises(ValueError, match="--channels"):
        choose_channels(channels_of(2, ("DAPI", "GFP")), wanted)


def test_colour_and_grey_pass_without_a_word():
    assert choose_channels(arrange(numbered((20, 30, 3)))).rgb
    assert choose_channels(arrange(numbered((20, 30)))).note == ""


def test_a_network_of_as_many_channels_gets_all_of_them():
    choice = choose_channels(channels_of(4), in_channels=4)
    assert choice.pixels.shape == (20, 30, 4)


def test_a_network_of_one_channel_gets_colours_as_grey():
    image = np.zeros((20, 30, 3), np.uint8)
    image[..., 1] = 90
    choice = choose_channels(arrange(image), in_channels=1)
    assert choice.pixels.shape == (20, 30, 1)
    assert choice.pixels[0, 0, 0] == 30


def test_grey_is_repeated_without_a_copy():
    gray = numbered((20, 30, 1))
    repeated = repeat_channels(gray, 3)
    assert repeated.shape == (20, 30, 3)
    assert np.shares_memory(gray, repeated)
    np.testing.assert_array_equal(distinct_channels(repeated), gray)
    equal = repeated.copy()
    assert distinct_channels(equal) is equal
