"""Mask targets from the label map."""

import math

import numpy as np
import pytest
import torch

from napari_pffnet.instances import Instances
from napari_pffnet.pffnet.structures import ImageTarget
from napari_pffnet.pffnet.targets import MaskTargets, mask_targets


def ellipse(side_y: float, side_x: float, angle: float, shape: int = 140) -> np.ndarray:
    y, x = np.mgrid[:shape, :shape] + 0.5 - shape / 2
    u = x * math.cos(angle) + y * math.sin(angle)
    v = y * math.cos(angle) - x * math.sin(angle)
    return (2 * u / side_x) ** 2 + (2 * v / side_y) ** 2 <= 1


def target_of(label_map: np.ndarray, ignore: np.ndarray | None = None) -> ImageTarget:
    labels = torch.from_numpy(label_map.astype(np.int32))
    n = int(labels.max())
    boxes, areas = [], []
    for i in range(1, n + 1):
        y, x = np.nonzero(label_map == i)
        boxes.append([x.min(), y.min(), x.max() + 1, y.max() + 1])
        areas.append(len(y))
    hidden = np.zeros(label_map.shape, bool) if ignore is None else ignore
    return ImageTarget(
        labels,
        torch.tensor(boxes, dtype=torch.float32),
        torch.ones(n, dtype=torch.int64),
        torch.tensor(areas, dtype=torch.float32),
        torch.from_numpy(hidden),
    )


def targets_of_one(target: ImageTarget, boxes: torch.Tensor, size: int) -> MaskTargets:
    """Return the targets of an image whose objects are in the order of the boxes."""
    numbers = torch.arange(len(boxes))
    return mask_targets([target], boxes, torch.zeros_like(numbers), numbers, size)


def painted_back(mask: np.ndarray) -> np.ndarray:
    target = target_of(mask.astype(int))
    grid = targets_of_one(target, target.boxes, 28).covered
    instances = Instances.from_mask_grids(
        grid.numpy(),
        target.boxes.numpy(),
        class_ids=np.array([1]),
        scores=np.array([1.0]),
        qualities=np.array([1.0]),
        shape=mask.shape,
    )
    return instances.to_labels(score_threshold=0.0) > 0


@pytest.mark.parametrize(("sides", "bar"), [((5, 28), 0.99), ((29, 100), 0.97)])
def test_targets_of_true_boxes_painted_back(sides: tuple[int, int], bar: float) -> None:
    rng = np.random.default_rng(0)
    ious, shifts = [], []
    for _ in range(60):
        a, b = rng.uniform(*sides, 2)
        mask = ellipse(a, b, rng.uniform(0, math.pi))
        back = painted_back(mask)
        ious.append((mask & back).sum() / (mask | back).sum())
        shifts.append(np.argwhere(back).mean(0) - np.argwhere(mask).mean(0))
    assert np.mean(ious) >= bar
    assert np.abs(np.mean(shifts, 0)).max() < 0.03


def test_only_the_own_object_counts() -> None:
    labels = np.zeros((8, 8), int)
    labels[:, :4] = 1
    labels[:, 4:] = 2
    boxes = torch.tensor([[0.0, 0, 8, 8], [0.0, 0, 8, 8]])
    grids = targets_of_one(target_of(labels), boxes, 4).covered
    assert grids[0].mean(0).tolist() == [1, 1, 0, 0]
    assert grids[1].mean(0).tolist() == [0, 0, 1, 1]


def test_outside_of_the_image_is_known_background() -> None:
    target = target_of(np.ones((8, 8), int))
    got = targets_of_one(target, torch.tensor([[4.0, 0, 12, 8]]), 4)
    assert got.covered[0].mean(0).tolist() == [1, 1, 0, 0]
    assert (got.known == 1).all()


def test_ignored_pixels_are_not_known() -> None:
    ignore = np.zeros((8, 8), bool)
    ignore[:4] = True
    labels = np.ones((8, 8), int)
    labels[:4] = 0
    target = target_of(labels, ignore)
    got = targets_of_one(target, torch.tensor([[0.0, 0, 8, 8]]), 4)
    assert got.known[0].mean(1).tolist() == [0, 0, 1, 1]


def test_rois_read_the_image_that_they_lie_in() -> None:
    left, right = np.zeros((8, 8), int), np.zeros((8, 8), int)
    left[:, :4], right[:, 4:] = 1, 1
    hidden = np.zeros((8, 8), bool)
    hidden[:4] = True
    right[:4] = 0
    got = mask_targets(
        [target_of(left), target_of(right, hidden)],
        torch.tensor([[0.0, 0, 8, 8]] * 3),
        torch.tensor([1, 0, 1]),
        torch.tensor([0, 0, 0]),
        4,
    )
    assert [c.mean(0).tolist() for c in got.covered] == [
        [0, 0, 0.5, 0.5],
        [1, 1, 0, 0],
        [0, 0, 0.5, 0.5],
    ]
    assert got.known.mean((1, 2)).tolist() == [0.5, 1, 0.5]
