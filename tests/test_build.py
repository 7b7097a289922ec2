"""From options to networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
import torchvision
from pydantic import ValidationError

from napari_pffnet.build import build_network
from napari_pffnet.config import ModelConfig

if TYPE_CHECKING:
    from pathlib import Path

RESNET18_FILE = "resnet18-f37072fd.pth"
"""What torchvision calls its ImageNet weights of ResNet-18."""


def imagenet(config: ModelConfig, **changes: object) -> ModelConfig:
    options = config.model_dump(exclude={"input_mean", "input_std"})
    changes = {"pretrained": True, "norm": "frozen_batch"} | changes
    return ModelConfig.model_validate(options | changes)


def test_an_unknown_architecture_names_the_known(tiny_config: ModelConfig) -> None:
    config = tiny_config.model_copy(update={"architecture": "yolo"})
    with pytest.raises(ValueError, match=r"'yolo'; known are pffnet"):
        build_network(config)


def test_imagenet_weights_with_group_norm_are_refused(
    tiny_config: ModelConfig,
) -> None:
    with pytest.raises(ValidationError, match="BatchNorm weights and norm is 'group'"):
        imagenet(tiny_config, norm="group")


def test_imagenet_weights_bring_their_mean_and_std(tiny_config: ModelConfig) -> None:
    network = build_network(imagenet(tiny_config))
    assert network.mean.flatten().tolist() == pytest.approx([0.485, 0.456, 0.406])
    assert network.std.flatten().tolist() == pytest.approx([0.229, 0.224, 0.225])


@pytest.mark.parametrize("channels", [1, 5])
def test_channels_that_are_no_colours_have_the_mean_of_those(
    tiny_config: ModelConfig, channels: int
) -> None:
    network = build_network(imagenet(tiny_config, in_channels=channels))
    assert network.mean.flatten().tolist() == pytest.approx([0.449])
    assert network.std.flatten().tolist() == pytest.approx([0.226])


@pytest.mark.parametrize("channels", [3, 2])
def test_imagenet_weights_are_loaded_from_torchvisions_file(
    tiny_config: ModelConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    channels: int,
) -> None:
    weights = torchvision.models.resnet18().state_dict()
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    torch.save(weights, tmp_path / "hub" / "checkpoints" / RESNET18_FILE)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    config = imagenet(tiny_config, in_channels=channels)
    backbone = build_network(config, initialise=True).backbone
    assert torch.equal(
        backbone.stages[3][1].conv2.weight, weights["layer4.1.conv2.weight"]
    )
    # The same grey image in every channel gives the same response.
    first, original = backbone.stem[0].weight.sum(1), weights["conv1.weight"].sum(1)
    assert torch.allclose(first, original, atol=1e-5)


def test_offline_the_message_says_what_to_do(
    tiny_config: ModelConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody answers there
    with pytest.raises(ValueError, match=r"checkpoints, or use pretrained=False"):
        build_network(imagenet(tiny_config), initialise=True)


def test_a_checkpoints_shape_is_built_without_any_download(
    tiny_config: ModelConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    build_network(imagenet(tiny_config))
    assert not list(tmp_path.rglob("*.pth"))
