from pathlib import Path

import numpy as np
import pytest

from napari_pffnet.sample_data import load_sample, sample_names, sample_path


@pytest.mark.parametrize(
    ("name", "shape", "dtype", "objects"),
    [
        ("fluorescence", (520, 696), np.uint16, 113),
        ("histology", (256, 320, 3), np.uint8, 83),
    ],
)
def test_a_sample_has_an_image_and_its_true_objects(name, shape, dtype, objects):
    sample = load_sample(name)
    assert sample.image.shape == shape
    assert sample.image.dtype == dtype
    assert sample.labels.shape == shape[:2]
    assert sample.labels.dtype == np.int32
    assert len(np.unique(sample.labels)) == objects + 1


def test_objects_of_a_sample_lie_on_its_bright_or_dark_pixels():
    bright, stained = (load_sample(name) for name in sample_names())
    inside = bright.labels > 0
    assert bright.image[inside].mean() > 2 * bright.image[~inside].mean()
    inside = stained.labels > 0
    assert stained.image[inside].mean() < 0.8 * stained.image[~inside].mean()


def test_the_licence_of_each_sample_lies_beside_it():
    note = sample_path("histology").with_name("README.md").read_text("utf-8")
    assert "CC0" in note
    assert all(f"`{name}.png`" in note for name in sample_names())


def test_samples_are_small():
    folder = Path(sample_path("histology")).parent
    assert sum(f.stat().st_size for f in folder.iterdir()) < 1_000_000


def test_an_unknown_sample_is_refused_with_the_known_names():
    with pytest.raises(ValueError, match=r"'cat'.*fluorescence, histology"):
        load_sample("cat")
