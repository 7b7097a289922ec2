from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_pffnet.config import CheckpointInfo, ModelConfig
from napari_pffnet.pffnet.structures import Detections
from napari_pffnet.segmentation.diameter import (
    Look,
    busiest_window,
    choose_scale,
    estimate_diameter,
    look_at,
    may_be_smaller,
)
from napari_pffnet.segmentation.view import HeldPlane


def squares(sides, scores) -> Detections:
    """Return candidates whose masks fill half of their square boxes."""
    n = len(sides)
    boxes = torch.zeros(n, 4)
    boxes[:, 2:] = torch.tensor(sides)[:, None]
    logits = torch.full((n, 4, 4), -1.0)
    logits[:, :2] = 1
    return Detections(
        boxes,
        torch.ones(n, dtype=torch.int64),
        torch.tensor(scores),
        torch.full((n,), 0.5),
        logits,
    )


def test_a_look_measures_masks_in_pixels_of_the_image():
    found = squares([20.0, 200.0, 20.0], [0.8, 0.9, 0.4])
    look = look_at(found, (100, 50), 0.5, (8, 80))
    # The second is larger than anything in training, the third unsure.
    np.testing.assert_allclose(look.diameters, [2 * np.sqrt(4 / np.pi * 200)])
    np.testing.assert_allclose(look.weights, [0.4])
    assert look.evidence == pytest.approx(200 * 0.4**2 / 5000)
    assert look.area == 100 * 50 * 4
    assert look.sure == 0


def look(scale, diameters, evidence):
    weights = np.ones(len(diameters))
    return Look(scale, np.array(diameters), weights, evidence, area=1e6)


def test_large_objects_are_not_taken_for_their_specks():
    looks = [look(1, [5.0, 6.0], 0.1), look(1 / 9, [200.0, 30.0, 210.0], 0.4)]
    assert estimate_diameter(looks) == 200
    assert estimate_diameter([look(1, [], 0.0)]) is None


def test_small_objects_are_not_taken_for_their_heaps():
    looks = [look(1 / 3, [40.0], 0.5), look(3, [5.0, 6.0, 7.0], 0.4)]
    assert estimate_diameter(looks) == 6


@pytest.mark.parametrize(("nuclei", "diameter"), [(30, 20), (9, 150), (14, 150)])
def test_cells_are_not_taken_for_nuclei_where_there_are_more_of_those(nuclei, diameter):
    # Nine may be specks, and 14 are not far more than ten.
    looks = [look(1, [20.0] * nuclei, 0.01), look(1 / 3, [150.0] * 10, 0.2)]
    assert estimate_diameter(looks) == diameter


def test_the_median_counts_sure_objects_more():
    sure = Look(1, np.array([10.0, 20.0, 30.0]), np.array([0.1, 0.1, 0.9]), 0.4, 1e6)
    assert estimate_diameter([sure]) == 30


@pytest.mark.parametrize(
    ("diameter", "scale"),
    [(None, 1), (12, 1), (50, 1), (60, 0.8), (120, 0.4), (5, 6), (10, 3)],
)
def test_sizes_out_of_the_range_come_into_it(diameter, scale):
    # Under 11 px they are magnified, whatever was trained on; what is larger than
    # two thirds of 76.8 px comes to 48 px, between 30 and 76.8.
    info = CheckpointInfo(
        model=ModelConfig(),
        diameter=30,
        diameter_range=(3, 76.8),
        least_diameter=11,
    )
    assert choose_scale(diameter, info) == pytest.approx(scale)
    larger = info.model_copy(update={"magnified_diameter": 36})
    is_small = diameter is not None and diameter < 11
    assert choose_scale(diameter, larger) == pytest.approx(
        36 / diameter if is_small else scale
    )


def test_large_objects_of_a_narrow_training_are_not_enlarged():
    info = CheckpointInfo(
        model=ModelConfig(), diameter=65, diameter_range=(42, 98), least_diameter=11
    )
    assert choose_scale(64, info) == choose_scale(70, info) == 1
    assert choose_scale(100, info) == pytest.approx(0.798, abs=1e-3)


def test_a_magnifier_is_used_for_nothing_small_objects_and_possible_heaps():
    assert may_be_smaller([look(1, [], 0.0)], (3, 80))
    assert may_be_smaller([look(1, [15.0], 0.2)], (3, 80))
    assert may_be_smaller([look(1, [25.0], 0.01), look(1 / 3, [40.0], 0.2)], (3, 80))
    assert not may_be_smaller([look(1, [25.0], 0.2)], (3, 80))


def test_the_busiest_window_is_where_the_objects_are():
    image = np.zeros((300, 400, 1), np.float32)
    image[210:250:2, 310:350] = 1
    rows, columns = busiest_window(HeldPlane(image), 100)
    assert rows.start <= 210
    assert rows.stop >= 250
    assert columns.start <= 310
    assert columns.stop >= 350
    small = HeldPlane(image[:50, :60])
    assert busiest_window(small, 100) == (slice(0, 50), slice(0, 60))
