import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as numbers

from napari_pffnet.config import NormalizationConfig
from napari_pffnet.data import normalize as module
from napari_pffnet.data.normalize import IntensityLimits, intensity_limits, normalize


def ramp(low, high, dtype, channels=1):
    """100 x 100 pixels that rise by columns, without noise along rows."""
    column = np.linspace(low, high, 100).astype(dtype)
    return np.repeat(np.tile(column[:, None], (1, 100))[..., None], channels, axis=-1)


@pytest.mark.parametrize("dtype", ["u1", "u2", ">u2", "i4", "f2", "f4", "f8", ">f4"])
def test_any_real_dtype_comes_to_zero_and_one(dtype):
    unit = normalize(ramp(10, 200, dtype))
    assert unit.dtype == np.float32
    assert unit.min() == 0
    assert unit.max() == 1
    assert unit[50, 0, 0] == pytest.approx(0.5, abs=0.02)


def test_percentiles_by_hand():
    image = np.arange(1001, dtype=np.float64).reshape(7, 143, 1)
    config = NormalizationConfig(low=1, high=99.8, noise_factor=0)
    limits = intensity_limits(image, config)
    assert limits.low == pytest.approx((10,))
    assert limits.high == pytest.approx((998,))


def test_rgb_has_common_limits_and_channels_have_their_own():
    image = ramp(0, 100, np.uint8, 3)
    image[..., 1] *= 2
    joint = normalize(image, rgb=True)
    assert joint[..., 0].max() == pytest.approx(0.5, abs=0.02)
    assert joint[..., 1].max() == 1
    separate = normalize(image)
    assert separate[..., 0].max() == separate[..., 1].max() == 1


def test_the_range_is_at_least_eight_times_the_noise():
    # Neighbours differ by 2 everywhere and nothing else is in the image.
    image = np.tile([[[100.0], [102.0]]], (50, 25, 1))
    limits = intensity_limits(image)
    assert limits.low == (100,)
    assert limits.high == (116,)
    assert normalize(image).max() == pytest.approx(2 / 16)


def test_non_finite_pixels_are_left_out_and_filled_with_the_low_value():
    image = ramp(0, 100, np.float32)
    clean = intensity_limits(image)
    image[40:42, :3] = [[np.nan], [np.inf], [-np.inf]]
    limits = intensity_limits(image)
    assert limits.high[0] == pytest.approx(clean.high[0], abs=0.5)
    unit = normalize(image)
    assert np.isfinite(unit).all()
    assert not unit[40:42, :3].any()


@pytest.mark.parametrize("value", [0, 7, np.nan, np.inf])
def test_images_without_contrast_become_zeros(value):
    assert not normalize(np.full((9, 9, 2), value)).any()


def test_one_pixel_becomes_zero():
    assert normalize(np.full((1, 1, 1), 5, np.uint8)).tolist() == [[[0.0]]]


def test_a_small_bright_object_on_black_is_kept():
    image = np.zeros((200, 200, 1), np.uint8)
    image[10:13, 10:13] = 80
    assert normalize(image).sum() == 9


def test_limits_of_the_layer_hold_for_a_tile():
    image = ramp(0, 1000, np.uint16)
    limits = IntensityLimits((0.0,), (2000.0,))
    assert normalize(image[:10], limits=limits).max() < 0.05


def test_statistics_come_from_a_strided_sample(monkeypatch):
    monkeypatch.setattr(module, "MAX_SAMPLE", 1000)
    image = ramp(0, 1000, np.uint16)
    limits = intensity_limits(image)
    assert limits.low[0] == pytest.approx(10, abs=35)
    assert limits.high[0] == pytest.approx(998, abs=35)


def test_stacks_share_limits():
    stack = np.stack([ramp(0, 10, np.uint8), ramp(0, 200, np.uint8)])
    unit = normalize(stack)
    assert unit[0].max() < 0.06
    assert unit[1].max() == 1


def test_large_integers_keep_their_signal():
    image = ramp(0, 100, np.int64) + 2**40
    assert normalize(image)[50, 0, 0] == pytest.approx(0.5, abs=0.02)


@settings(max_examples=60, deadline=None)
@given(
    numbers.arrays(
        st.sampled_from([np.dtype(t) for t in ("?", "u1", "i1", "u2", ">i2")]),
        st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 3)),
    ),
    st.booleans(),
)
def test_integers_that_are_counted_have_the_limits_of_floats_that_are_sorted(
    image, rgb
):
    counted = intensity_limits(image, rgb=rgb)
    expected = intensity_limits(image.astype(np.float64), rgb=rgb)
    assert counted.low == pytest.approx(expected.low)
    assert counted.high == pytest.approx(expected.high)
