from __future__ import annotations

import numpy as np
import pytest

from napari_pffnet.data.normalize import normalize
from napari_pffnet.data.readers import read_image, read_labels
from napari_pffnet.segmentation import segment
from napari_pffnet.segmentation.background import busy_part, is_background

from .bright import bright_model, discs


def background(noise, side=256):
    rng = np.random.default_rng(0)
    return (0.3 + noise * rng.normal(size=(side, side, 1))).astype(np.float32)


@pytest.mark.parametrize("noise", [0, 0.001, 0.02, 0.1])
def test_even_background_and_its_noise_are_nothing(noise):
    assert is_background(background(noise))


@pytest.mark.parametrize("noise", [0, 0.01, 0.05])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_single_small_object_is_something(noise, sign):
    image = background(noise)
    image[100:108, 50:58] += sign * (0.05 + 5 * noise)
    assert not is_background(image)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_faint_object_is_something_where_it_is_large(sign):
    image = background(0.05)
    image[100:140, 50:90] += sign * 0.04
    assert not is_background(image)


@pytest.mark.parametrize("shape", [(4, 4), (9, 300), (300, 12), (15, 15), (16, 17)])
def test_a_small_image_of_noise_is_nothing(shape):
    noise = np.random.default_rng(0).normal(1000, 20, shape).astype(np.uint16)
    assert is_background(background(0.02)[: shape[0], : shape[1]])
    assert len(segment(noise, bright_model()).objects) == 0


def test_an_image_of_noise_has_no_objects_unless_they_are_searched_for():
    noise = np.random.default_rng(0).normal(1000, 20, (200, 200)).astype(np.uint16)
    model = bright_model()
    result = segment(noise, model)
    assert len(result.objects) == 0
    assert result.labels.shape == noise.shape
    assert "even background" in result.notes[0]
    assert not model.network.seen
    segment(noise, model, all_tiles=True)
    assert model.network.seen


def test_large_noise_is_not_magnified_in_search_of_objects():
    noise = np.random.default_rng(0).normal(1000, 20, (2048, 2048)).astype(np.uint16)
    model = bright_model()
    result = segment(noise, model)
    assert len(result.objects) == 0
    assert result.record.scale == 1
    assert not model.network.seen


def test_no_tile_with_a_real_nucleus_is_taken_for_background(shared_data):
    for path in sorted((shared_data / "bbbc039" / "val" / "images").iterdir())[:6]:
        image = normalize(np.asarray(read_image(path).array)[..., None])
        labels = read_labels(path.parents[1] / "labels" / path.name)
        for y in range(0, image.shape[0], 128):
            for x in range(0, image.shape[1], 128):
                part = (slice(y, y + 128), slice(x, x + 128))
                if np.count_nonzero(labels[part]) > 50:
                    assert not is_background(image[part])


def test_empty_tiles_are_spared_and_the_result_is_the_same():
    image, _ = discs((300, 300), 24, 34)
    wide = np.pad(image, ((0, 500), (0, 700)), constant_values=100)
    results, seen = [], []
    for skip in (True, False):
        model = bright_model()
        options = {"tile": 256, "diameter": 24, "all_tiles": not skip}
        results.append(segment(wide, model, **options))
        seen.append(len(model.network.seen))
    assert seen[0] < seen[1] / 2
    np.testing.assert_array_equal(results[0].labels, results[1].labels)
    np.testing.assert_array_equal(results[0].semantic, results[1].semantic)


def test_what_is_even_at_the_edges_of_a_part_is_told():
    image = background(0.01, 512)
    image[200:220, 300:320] += 0.3
    # The eighths of 64 pixels that lie before and behind it, but for a margin.
    assert busy_part(image, 20) == (slice(172, 276), slice(236, 340))
    image[:8, :8] += 0.3
    assert busy_part(image, 20) == (slice(0, 276), slice(0, 340))


def test_light_that_falls_off_is_no_edge():
    image = background(0) + np.linspace(0, 0.05, 256, dtype=np.float32)[:, None, None]
    assert not is_background(image)
    assert busy_part(image, 20) == (slice(0, 256), slice(0, 256))


def test_tiles_are_trimmed_to_what_they_show_and_the_result_is_the_same():
    image, _ = discs((300, 300), 16, 34)
    wide = np.pad(image, ((700, 900), (500, 1100)), constant_values=100)
    results, seen = [], []
    for skip in (True, False):
        model = bright_model()
        options = {"tile": 512, "diameter": 16, "all_tiles": not skip}
        results.append(segment(wide, model, **options))
        seen.append(sum(np.prod(shape) for shape in model.network.seen))
    assert seen[0] < seen[1] / 8
    assert len(results[0].objects) > 40
    np.testing.assert_array_equal(results[0].labels, results[1].labels)
    np.testing.assert_array_equal(results[0].semantic, results[1].semantic)
