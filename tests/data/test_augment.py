import numpy as np
import pytest
import torch
from torchvision import tv_tensors

from napari_pffnet.config import AugmentConfig
from napari_pffnet.data.augment import augment_geometry, augment_intensity

NOTHING = {
    "flips": False, "rotations": False, "intensity": 0, "invert": 0, "blur": 0,
    "median_blur": 0, "noise": 0, "illumination": 0, "color": 0, "grayscale": 0,
}  # fmt: skip


def only(**changes):
    return AugmentConfig(**{**NOTHING, **changes})


@pytest.fixture
def image():
    return torch.rand((3, 64, 64), generator=torch.Generator().manual_seed(0))


def changed(image, seed=0, **changes):
    return augment_intensity(image, only(**changes), np.random.default_rng(seed))


def test_without_any_change_the_image_stays(image):
    assert torch.equal(changed(image), image)


@pytest.mark.parametrize(
    "name",
    [
        "intensity",
        "invert",
        "blur",
        "median_blur",
        "noise",
        "illumination",
        "color",
        "grayscale",
    ],
)
def test_every_change_is_seen_repeatable_and_within_range(image, name):
    before = image.clone()
    first, again = (changed(image, 5, **{name: 1.0}) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, image)
    assert first.shape == image.shape
    assert first.dtype == torch.float32
    assert first.min() >= 0
    assert first.max() <= 1
    assert torch.equal(image, before)


def test_invert_and_grayscale_by_hand():
    image = torch.tensor([0.2, 0.5, 0.8]).reshape(3, 1, 1).expand(3, 4, 4)
    inverted = changed(image, invert=1.0)
    assert inverted[:, 0, 0].tolist() == pytest.approx([0.8, 0.5, 0.2])
    gray = changed(image, grayscale=1.0)
    luminance = 0.2989 * 0.2 + 0.587 * 0.5 + 0.114 * 0.8
    assert gray[:, 0, 0].tolist() == pytest.approx([luminance] * 3, abs=1e-3)


def test_light_falls_off_in_one_direction():
    lit = changed(torch.ones(3, 32, 32), illumination=1.0)
    assert lit.max() == 1
    assert 0.25 <= lit.min() < 0.85
    # Along any row the light changes by one factor from pixel to pixel.
    steps = lit[0, :, 1:] / lit[0, :, :-1]
    assert torch.allclose(steps, steps[:1, :1].expand_as(steps), atol=1e-4)


def test_the_median_takes_specks_away_and_blur_spreads_them():
    image = torch.zeros(3, 9, 9)
    image[:, 4, 4] = 1
    assert changed(image, median_blur=1.0).max() == 0
    blurred = changed(image, blur=1.0)
    assert 0 < blurred[0, 4, 4] < 1
    assert blurred[0, 4, 5] > 0


def test_grey_images_stay_grey_and_keep_out_of_colour_changes():
    gray = torch.rand((1, 32, 32)).expand(3, 32, 32)
    noisy = changed(gray, noise=1.0, intensity=1.0)
    assert torch.equal(noisy[0], noisy[2])
    assert torch.equal(changed(gray, color=1.0, grayscale=1.0), gray)


def test_stain_changes_keep_the_order_of_light_and_dark():
    ramp = torch.linspace(0.05, 0.95, 50)
    purple = torch.stack([ramp, ramp**1.5, ramp**0.8])[:, None]
    for seed in range(10):
        out = changed(purple, seed, color=1.0)
        assert (out.mean(0)[0].diff() > -0.02).all()


def test_one_and_many_channels_pass():
    for channels in (1, 2, 5):
        image = torch.rand(channels, 32, 32)
        out = augment_intensity(
            image, AugmentConfig(color=1, grayscale=1), np.random.default_rng(1)
        )
        assert out.shape == image.shape


def turned(seed, **changes):
    image = torch.arange(12.0).reshape(3, 2, 2)
    masks = torch.arange(4).reshape(1, 2, 2)
    return augment_geometry(
        tv_tensors.Image(image),
        tv_tensors.Mask(masks),
        only(**changes),
        np.random.default_rng(seed),
    )


def test_image_and_masks_turn_together_into_all_eight_positions():
    seen = set()
    for seed in range(100):
        image, masks = turned(seed, flips=True, rotations=True)
        assert torch.equal(image[0].long(), masks[0])
        seen.add(tuple(masks.flatten().tolist()))
    assert len(seen) == 8


def test_turns_and_flips_can_be_switched_off():
    assert {tuple(turned(s)[1].flatten().tolist()) for s in range(20)} == {(0, 1, 2, 3)}
    flips = {tuple(turned(s, flips=True)[1].flatten().tolist()) for s in range(50)}
    assert flips == {(0, 1, 2, 3), (1, 0, 3, 2), (2, 3, 0, 1), (3, 2, 1, 0)}
