from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from napari_pffnet.data.resample import resample


def _by_torch(image, size):
    pixels = torch.from_numpy(image.transpose(2, 0, 1))[None]
    resized = functional.interpolate(pixels, size, mode="bilinear", antialias=True)
    return resized[0].numpy().transpose(1, 2, 0)


@pytest.mark.parametrize("size", [(37, 90), (70, 81), (210, 333), (8, 9), (1, 1)])
def test_the_whole_is_what_torch_makes_of_it(size):
    image = np.random.default_rng(0).random((70, 81, 3), dtype=np.float32)
    whole = tuple(slice(0, n) for n in size)
    result = resample(lambda y, x: image[y, x], image.shape[:2], size, whole)
    np.testing.assert_allclose(result, _by_torch(image, size), atol=1e-5)


@pytest.mark.parametrize("size", [(131, 190), (600, 750)])
def test_a_part_is_cut_from_the_whole_and_reads_no_more_than_it_needs(size):
    image = np.random.default_rng(0).random((200, 250, 1), dtype=np.float32)
    read = []

    def reader(y, x):
        read.append((y.start, y.stop))
        return image[y, x]

    part = slice(20, 100), slice(31, 64)
    result = resample(reader, image.shape[:2], size, part)
    np.testing.assert_allclose(result, _by_torch(image, size)[part], atol=1e-5)
    factor = 200 / size[0]
    assert min(read)[0] >= 20 * factor - 2 * max(factor, 1)
    assert max(stop for _, stop in read) <= 100 * factor + 2 * max(factor, 1)


def test_one_channel_shown_as_several_stays_one():
    image = np.random.default_rng(0).random((70, 81, 1), dtype=np.float32)
    shown = np.broadcast_to(image, (70, 81, 3))
    size = (140, 100)
    whole = slice(0, 140), slice(0, 100)
    result = resample(lambda y, x: shown[y, x], (70, 81), size, whole)
    np.testing.assert_allclose(result, _by_torch(shown.copy(), size), atol=1e-5)
    assert result.strides[-1] == 0
