"""RoIAlign, half-pixel right."""

import torch

from napari_pffnet.pffnet.pooling import pool, pyramid_levels


def coordinate_pyramid() -> list[torch.Tensor]:
    """Features that hold the image coordinates of their cells' centres."""
    levels = []
    for stride in (4, 8, 16, 32):
        n = 512 // stride
        centre = (torch.arange(n) + 0.5) * stride
        x, y = centre.expand(n, n), centre[:, None].expand(n, n)
        levels.append(torch.stack([x, y])[None])
    return levels


def test_pooled_coordinates_are_those_of_the_grid() -> None:
    boxes = torch.tensor([[100.3, 57.7, 131.1, 80.2], [40.0, 60.0, 440.0, 400.0]])
    pooled = pool(coordinate_pyramid(), boxes, torch.zeros(2), 14)
    step = (torch.arange(14) + 0.5) / 14
    for box, features in zip(boxes, pooled, strict=True):
        x = box[0] + step * (box[2] - box[0])
        y = box[1] + step * (box[3] - box[1])
        assert torch.allclose(features[0], x.expand(14, 14), atol=1e-3)
        assert torch.allclose(features[1], y[:, None].expand(14, 14), atol=1e-3)


def test_small_rois_read_the_finest_level() -> None:
    sides = torch.tensor([10.0, 111.0, 113.0, 225.0, 449.0, 2000.0])
    boxes = torch.stack([0 * sides, 0 * sides, sides, sides], 1)
    assert pyramid_levels(boxes, 4).tolist() == [0, 0, 1, 2, 3, 3]


def test_image_index_and_no_roi() -> None:
    levels = [torch.cat([f * 0, f * 0 + 1]) for f in coordinate_pyramid()]
    boxes = torch.tensor([[0.0, 0, 20, 20], [0, 0, 300, 300], [5, 5, 25, 25]])
    pooled = pool(levels, boxes, torch.tensor([1, 1, 0]), 7)
    assert pooled.mean((1, 2, 3)).tolist() == [1.0, 1.0, 0.0]
    assert pool(levels, boxes[:0], torch.zeros(0), 7).shape == (0, 2, 7, 7)
