"""ResNet and feature pyramid."""

import pytest
import torch
import torchvision

from napari_pffnet.pffnet.backbone import STRIDES, Backbone
from napari_pffnet.pffnet.layers import norm_factory


@pytest.mark.parametrize(
    ("name", "channels"),
    [("resnet18", [64, 128, 256, 512]), ("resnet50", [256, 512, 1024, 2048])],
)
def test_levels_have_the_strides_they_are_read_with(
    name: str, channels: list[int]
) -> None:
    norm = norm_factory("group")
    resnet = torchvision.models.get_model(name, weights=None, norm_layer=norm)
    backbone = Backbone(resnet, 16, norm)
    with torch.inference_mode():
        features = backbone(torch.zeros(1, 3, 64, 128))
    assert [c.shape[1] for c in features.c] == channels == backbone.stage_channels
    assert [p.shape for p in features.p] == [
        (1, 16, 64 // stride, 128 // stride) for stride in STRIDES
    ]


@pytest.mark.parametrize("channels", [1, 3])
def test_on_a_cpu_maps_have_their_channels_last(channels: int) -> None:
    norm = norm_factory("group")
    resnet = torchvision.models.resnet18(weights=None, norm_layer=norm)
    resnet.conv1 = torch.nn.Conv2d(channels, 64, 7, 2, 3)
    maps = Backbone(resnet, 16, norm)(torch.zeros(2, channels, 128, 128)).p[0]
    assert maps.is_contiguous(memory_format=torch.channels_last)
