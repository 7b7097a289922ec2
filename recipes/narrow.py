"""Narrow the mask generator and the quality branch of a model, to train it on.

    python recipes/narrow.py nuclei --channels 64 --out narrow.safetensors

Each layer keeps the groups of its norm that weigh most in the layers behind it, so that
what is kept computes what it did.  The result is worse than the model until it is
trained: it is a start for ``recipes/train.py --base``, nothing else.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from napari_pffnet.build import build_network
from napari_pffnet.pffnet.masks import ROI_SIZE
from napari_pffnet.weights import load_model, save_checkpoint

if TYPE_CHECKING:
    from napari_pffnet.pffnet.masks import DualModalMaskGenerator
    from napari_pffnet.pffnet.quality import MaskQualityBranch


def strongest(block: nn.Sequential, behind: list[Tensor], count: int) -> Tensor:
    """Return which ``count`` output channels of a block to keep, in whole groups.

    Parameters
    ----------
    block
        Convolution, norm and ReLU.
    behind
        Weights (n_out, n_in, ...) of the layers that read the block; n_in may be a
        fraction or a multiple of its channels, whose neighbours then belong together.
    count
        A multiple of the channels of a group.
    """
    norm = block[1]
    size = norm.num_channels // norm.num_groups
    strength = norm.weight.square() + norm.bias.square()
    for weight in behind:
        reading = weight.transpose(0, 1).flatten(1).square().sum(1)
        strength = strength * _matched(reading, len(strength))
    groups = strength.view(-1, size).sum(1)
    kept = groups.topk(count // size).indices.sort().values
    return (kept[:, None] * size + torch.arange(size)).flatten()


def _matched(values: Tensor, length: int) -> Tensor:
    if len(values) > length:
        return values.view(length, -1).sum(1)
    return values.repeat_interleave(length // len(values))


def _take(
    block: nn.Sequential, wide: nn.Sequential, rows: Tensor, columns: Tensor
) -> None:
    """Copy the output channels ``rows`` of the input channels ``columns``."""
    block[0].weight.copy_(wide[0].weight[rows][:, columns])
    block[1].weight.copy_(wide[1].weight[rows])
    block[1].bias.copy_(wide[1].bias[rows])


def narrow_masks(new: DualModalMaskGenerator, old: DualModalMaskGenerator) -> None:
    """Fill a narrow mask generator from a wide one."""
    x3, width = old.conv_x3, new.conv5.in_channels
    first = strongest(x3[0], [x3[1][0].weight], width)
    second = strongest(x3[1], [x3[2][0].weight], width)
    shared = strongest(x3[2], [old.conv1[0].weight, old.conv3[0].weight], width)
    flat = strongest(old.conv1, [old.conv2[0].weight], width)
    fine = strongest(old.conv3, [old.conv4[0].weight], width)
    shuffled = strongest(old.conv4, [old.conv5.weight], 4 * width)
    everything = torch.arange(x3[0][0].in_channels)
    _take(new.conv_x3[0], x3[0], first, everything)
    _take(new.conv_x3[1], x3[1], second, first)
    _take(new.conv_x3[2], x3[2], shared, second)
    _take(new.conv1, old.conv1, flat, shared)
    _take(new.conv2, old.conv2, torch.arange(old.conv2[0].out_channels), flat)
    _take(new.conv3, old.conv3, fine, shared)
    _take(new.conv4, old.conv4, shuffled, fine)
    new.fc.load_state_dict(old.fc.state_dict())
    new.conv5.weight.copy_(old.conv5.weight[:, shuffled[::4] // 4])
    new.conv5.bias.copy_(old.conv5.bias)


def narrow_quality(new: MaskQualityBranch, old: MaskQualityBranch) -> None:
    """Fill a narrow quality branch from a wide one of the same hidden layers."""
    width = new.conv4[0].out_channels
    wide = [old.conv1, old.conv2, old.conv3, old.conv4]
    behind = [*(block[0].weight for block in wide[1:]), old.fc1[0].weight]
    rows = torch.arange(old.conv1[0].in_channels)
    for block, source, reader in zip(
        (new.conv1, new.conv2, new.conv3, new.conv4), wide, behind, strict=True
    ):
        columns, rows = rows, strongest(source, [reader], width)
        _take(block, source, rows, columns)
    cells = (ROI_SIZE // 2) ** 2
    taken = (rows[:, None] * cells + torch.arange(cells)).flatten()
    new.fc1[0].weight.copy_(old.fc1[0].weight[:, taken])
    new.fc1[0].bias.copy_(old.fc1[0].bias)
    new.fc2.load_state_dict(old.fc2.state_dict())
    new.fc3.load_state_dict(old.fc3.state_dict())
    if old.size is not None:
        new.size.load_state_dict(old.size.state_dict())


@torch.no_grad()
def main() -> None:
    """Parse the command line and write the narrow model."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="model or checkpoint")
    parser.add_argument("--channels", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    wide = load_model(options.model, device="cpu")
    width = {"mask_channels": options.channels, "quality_channels": options.channels}
    info = wide.info.model_copy(
        update={"model": wide.info.model.model_copy(update=width)}
    )
    network = build_network(info.model, initialise=False)
    same = {
        name: tensor
        for name, tensor in wide.network.state_dict().items()
        if not name.startswith("mask_branch")
    }
    network.load_state_dict(same, strict=False)
    branch, source = network.mask_branch, wide.network.mask_branch
    narrow_masks(branch.generator, source.generator)
    narrow_quality(branch.quality, source.quality)
    save_checkpoint(options.out, network, info)


if __name__ == "__main__":
    main()
