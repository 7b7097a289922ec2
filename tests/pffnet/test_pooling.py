"""RoIAlign, half-pixel right."""

import pytest
import torch
from torchvision.ops import roi_align

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


@pytest.mark.parametrize("cells_yx", [(40, 56), (1, 9), (2, 2)])
@pytest.mark.parametrize("size", [7, 14])
def test_pooling_equals_torchvision(cells_yx: tuple[int, int], size: int) -> None:
    generator = torch.Generator().manual_seed(size)
    features = torch.randn(2, 3, *cells_yx, generator=generator).requires_grad_()
    # Some begin before the image, end beyond it, or lie outside; one is a point.
    start = torch.rand(50, 2, generator=generator) * 280 - 50
    boxes = torch.cat([start, start + torch.rand(50, 2, generator=generator) * 90], 1)
    boxes[-1, 2:] = boxes[-1, :2]
    image = torch.arange(50) % 2
    rois = torch.cat([image[:, None], boxes], 1)

    pooled = pool([features], boxes, image, size)
    expected = roi_align(features, rois, size, 0.25, 2, aligned=True)
    torch.testing.assert_close(pooled, expected, atol=1e-4, rtol=0)

    weights = torch.randn(pooled.shape, generator=generator)
    (got,) = torch.autograd.grad((pooled * weights).sum(), features)
    (wanted,) = torch.autograd.grad((expected * weights).sum(), features)
    torch.testing.assert_close(got, wanted, atol=2e-3, rtol=1e-4)
