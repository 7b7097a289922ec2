from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from napari_pffnet.instances import Instances, VisibleObjects
from napari_pffnet.segmentation.assembly import Assembly
from napari_pffnet.segmentation.tiles import TileFound

SIDE, STEP = 200, 210
SHAPE = (8 * STEP, 8 * STEP)


def squares(row):
    """Return eight squares in a row of an image, as the tile of that row finds them."""
    labels = np.zeros(SHAPE, np.int32)
    for i in range(8):
        labels[row * STEP :, i * STEP :][:SIDE, :SIDE] = i + 1
    found = Instances.from_labels(labels, scores=[0.9] * 8, qualities=[0.9] * 8)
    return TileFound(
        (row * STEP, 0, (row + 1) * STEP, SHAPE[1]),
        found,
        Instances.empty(SHAPE),
        None,
    )


@pytest.fixture
def peak():
    """Return what a call gives, and the bytes that it takes at most."""

    def measure(call):
        tracemalloc.start()
        try:
            given = call()
            return given, tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    return measure


def test_the_candidates_of_a_slide_are_copied_no_more_than_twice(peak):
    # At 150,000 nuclei each copy of their masks takes 400 MB.
    assembly = Assembly(SHAPE)
    for row in range(8):
        assembly.add(row, squares(row))
    masks = 64 * SIDE**2
    found, most = peak(assembly.finish)
    assert len(found.instances) == 64
    assert most < 2.2 * masks
    areas, most = peak(lambda: found.instances.areas)
    assert areas.tolist() == [SIDE**2] * 64
    assert most < 0.1 * masks
    visible, most = peak(lambda: VisibleObjects.of(found.instances))
    assert len(visible.objects) == 64
    assert most < 2.2 * masks
