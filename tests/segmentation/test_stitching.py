from __future__ import annotations

import numpy as np
import pytest

from napari_pffnet.segmentation import segment

from .bright import bright_model, discs, matched_ious


def with_one_giant(shape, diameter, centre):
    """Return small discs around a disc that no tile shows whole."""
    image, true = discs(shape, 24, 40)
    y, x = np.mgrid[: shape[0], : shape[1]] + 0.5
    distance = np.hypot(y - centre[0], x - centre[1])
    near = np.unique(true[distance < diameter / 2 + 30])
    gone = np.isin(true, near) & (true > 0)
    image[gone], true[gone] = 100, 0
    # Their blurred edges, too.
    image[(distance < diameter / 2 + 14)] = 100
    image[distance < diameter / 2] = 1100
    true[distance < diameter / 2] = true.max() + 1
    return image, true


@pytest.mark.parametrize("diameter", [150, 220, 400])
@pytest.mark.parametrize("centre", [(300, 300), (260, 330), (310, 384)])
def test_an_object_that_no_tile_shows_whole_is_put_together(diameter, centre):
    image, true = with_one_giant((620, 640), diameter, centre)
    model = bright_model(largest=500)
    result = segment(image, model, tile=256, diameter=24)
    assert max(max(shape[2:]) for shape in model.network.seen) <= 256
    ids = np.unique(true)[1:]
    ious = matched_ious(true, result.labels)[ids - 1]
    assert len(result.objects) == len(ids)
    assert ious.min() > 0.85
    assert ious[-1] > 0.95
    giant = result.objects.loc[result.objects["area"].idxmax()]
    assert giant["score"] == pytest.approx(0.9)
    assert giant["quality"] == pytest.approx(0.8)


def test_neighbours_at_a_seam_are_not_put_together():
    # Dense discs, so that many are cut by the edges of tiles.
    image, true = discs((620, 640), 60, 64)
    result = segment(image, bright_model(), tile=256, diameter=24)
    assert len(result.objects) == true.max()
    assert matched_ious(true, result.labels).min() > 0.95
