from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from napari_pffnet.pffnet.paste import roi_windows
from napari_pffnet.pffnet.structures import Detections
from napari_pffnet.segmentation import masks, to_instances

SHAPE = (70, 90)


def candidates(count=40):
    """Return smooth masks in boxes, some of which leave the image or hold no pixel."""
    rng = np.random.default_rng(0)
    coarse = torch.tensor(rng.normal(0, 2, (count, 1, 5, 5)), dtype=torch.float32)
    start = rng.uniform(-10, 80, (count, 2))
    boxes = np.concatenate([start, start + rng.uniform(0.1, 40, (count, 2))], 1)
    return Detections(
        boxes=torch.tensor(boxes, dtype=torch.float32),
        class_ids=torch.arange(count) + 1,
        scores=torch.linspace(0, 1, count),
        qualities=torch.linspace(1, 0, count),
        mask_logits=interpolate(coarse, (28, 28), mode="bicubic")[:, 0],
    )


def sampled(found):
    windows = roi_windows(found.boxes, *SHAPE).numpy()
    return masks.sample_instances(found, windows, SHAPE)


def test_the_way_of_gpus_gives_what_that_of_cpus_does():
    # Tensors on a CPU take the latter, whose pixels test_instances.py checks.
    found, wanted = sampled(candidates()), to_instances(candidates(), SHAPE)
    assert 0 < len(wanted) < 40
    for name in ("boxes", "offsets", "class_ids", "scores", "qualities"):
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name))
        assert getattr(found, name).dtype == getattr(wanted, name).dtype
    # Where a mask is just 0.5 rounding decides.
    assert (found.masks != wanted.masks).mean() < 0.001


@pytest.mark.parametrize("most", [1, 300, 5000])
def test_masks_that_are_sampled_in_several_goes_are_the_same(monkeypatch, most):
    whole = sampled(candidates())
    monkeypatch.setattr(masks, "_MOST_PIXELS", most)
    np.testing.assert_array_equal(sampled(candidates()).masks, whole.masks)


def test_no_candidates_are_no_instances():
    none = candidates().select(torch.arange(0))
    assert len(to_instances(none, SHAPE)) == 0
    assert len(sampled(none)) == 0
