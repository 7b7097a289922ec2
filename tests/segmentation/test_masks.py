from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_pffnet.instances import Instances
from napari_pffnet.instances.grids import paste, windows_of
from napari_pffnet.pffnet.paste import roi_windows
from napari_pffnet.pffnet.structures import Detections
from napari_pffnet.segmentation import masks, to_instances

SHAPE = (70, 90)


def candidates(count=40):
    """Return smooth grids and boxes, some of which leave the image or hold no pixel."""
    rng = np.random.default_rng(0)
    coarse = torch.tensor(rng.random((count, 1, 5, 5)), dtype=torch.float32)
    grids = torch.nn.functional.interpolate(coarse, (28, 28), mode="bicubic")[:, 0]
    start = rng.uniform(-10, 80, (count, 2))
    boxes = np.concatenate([start, start + rng.uniform(0.1, 40, (count, 2))], 1)
    return grids.clamp(0, 1), torch.tensor(boxes, dtype=torch.float32)


def sampled(grids, boxes):
    windows = roi_windows(boxes, *SHAPE).numpy()
    sizes = (windows[:, 2:] - windows[:, :2]).prod(axis=1)
    return windows, masks.sample_pixels(grids, boxes, sizes, SHAPE)


def test_the_way_of_gpus_gives_the_pixels_of_that_of_cpus():
    grids, boxes = candidates()
    windows, pixels = sampled(grids, boxes)
    wanted = windows_of(boxes.numpy(), SHAPE)
    np.testing.assert_array_equal(windows[:, [1, 0, 3, 2]], wanted)
    lower, upper = (
        np.concatenate([mask.ravel() for mask in paste(some, boxes.numpy(), wanted)])
        for some in ((grids - 1e-4).numpy(), (grids + 1e-4).numpy())
    )
    # Between them rounding decides.
    assert (lower != upper).mean() < 0.002
    assert (pixels >= lower).all()
    assert (pixels <= upper).all()


@pytest.mark.parametrize("most", [1, 300, 5000])
def test_masks_that_are_sampled_in_several_goes_are_the_same(monkeypatch, most):
    whole = sampled(*candidates())[1]
    monkeypatch.setattr(masks, "_MOST_PIXELS", most)
    np.testing.assert_array_equal(sampled(*candidates())[1], whole)


def test_pixels_become_the_candidates_that_have_any():
    grids, boxes = candidates()
    windows, pixels = sampled(grids, boxes)
    told = (np.arange(40) + 1, np.linspace(0, 1, 40), np.linspace(1, 0, 40))
    found = Instances.from_pixels(pixels, windows[:, [1, 0, 3, 2]], *told, SHAPE)
    wanted = Instances.from_mask_grids(grids.numpy(), boxes.numpy(), *told, SHAPE)
    assert 0 < len(found) < 40
    assert found.class_ids.tolist() == wanted.class_ids.tolist()
    np.testing.assert_array_equal(found.boxes, wanted.boxes)
    np.testing.assert_array_equal(found.masks, wanted.masks)


def test_no_candidates_are_no_instances():
    none = torch.empty(0)
    found = Detections(
        none.reshape(0, 4), none.long(), none, none, none.reshape(0, 28, 28)
    )
    assert len(to_instances(found, SHAPE)) == 0
    assert len(sampled(none.reshape(0, 28, 28), none.reshape(0, 4))[1]) == 0
