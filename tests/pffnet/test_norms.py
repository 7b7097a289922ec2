from __future__ import annotations

import torch
from torch import nn

from napari_pffnet.pffnet.norms import ImageNorm, holding, measure


def small_network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False),
        ImageNorm(2, 8),
        nn.ReLU(),
        nn.Conv2d(8, 8, 1),
        ImageNorm(4, 8),
    ).eval()


def test_with_the_statistics_of_the_whole_a_part_is_what_it_is_in_the_whole():
    network, image = small_network(), torch.rand(1, 3, 40, 60)
    whole = network(image)
    moments = measure(network, lambda: network(image))
    assert set(moments) == {"1", "4"}
    with holding(network, moments):
        part = network(image[..., :20, :30])
    torch.testing.assert_close(part[..., :19, :29], whole[..., :19, :29])
    alone = network(image[..., :20, :30])
    assert (alone - part).abs().max() > 1e-3


def test_the_images_of_a_batch_are_measured_as_one():
    network, image = small_network(), torch.rand(1, 3, 40, 60)
    # Of 1 x 1 blocks no convolution sees beyond the edge.
    network[0] = nn.Conv2d(3, 8, 1)
    halves = torch.cat([image[..., :30], image[..., 30:] * 0.1])
    joined = torch.cat([halves[:1], halves[1:]], dim=3)
    moments = measure(network, lambda: network(halves))
    expected = measure(network, lambda: network(joined))
    for name, known in expected.items():
        torch.testing.assert_close(moments[name].mean, known.mean)
        torch.testing.assert_close(moments[name].variance, known.variance)


def test_afterwards_the_norms_are_as_they_were():
    network, image = small_network(), torch.rand(1, 3, 16, 16)
    before = network(image)
    moments = measure(network, lambda: network(torch.rand(1, 3, 8, 8)))
    with holding(network, moments):
        assert not torch.allclose(network(image), before)
    torch.testing.assert_close(network(image), before)
