"""One training step of `maskrcnn` against torchvision's Mask R-CNN, ResNet-50-FPN.

Both start from a label image; torchvision needs a dense mask for each object.
512 x 512 with 1,000 objects: time <= 0.9, memory <= 0.7.
256 x 256 with 100 objects: both <= 1.05.

    python benchmarks/training_step.py
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from apart import Bars, Cost, compare, measure, measure_apart, parser, print_cost
from numpy.typing import NDArray
from scenes import image_of, label_scene, our_network, torchvision_network
from torch import Tensor, nn
from torchvision.ops import masks_to_boxes

from napari_pffnet.data.targets import image_target

if TYPE_CHECKING:
    import argparse

    from torchvision.models.detection import MaskRCNN

SCENES = {(512, 1000): Bars(0.9, 0.7), (256, 100): Bars(1.05, 1.05)}

Losses = Callable[[Tensor, NDArray[np.int32]], dict[str, Tensor]]


def our_losses(
    network: nn.Module, image: Tensor, labels: NDArray[np.int32]
) -> dict[str, Tensor]:
    """Return our losses of an image with its label image."""
    losses: dict[str, Tensor] = network(image, [image_target(labels)])
    return losses


def torchvision_losses(
    network: MaskRCNN, image: Tensor, labels: NDArray[np.int32]
) -> dict[str, Tensor]:
    """Return torchvision's losses of an image with its label image."""
    # Else it enlarges the small warm-up image, and a warm-up of full size hides
    # what the backbone takes.
    network.transform.min_size = (labels.shape[0],)
    ids = torch.arange(1, int(labels.max()) + 1)
    masks = torch.from_numpy(labels) == ids[:, None, None]
    target = {
        # torchvision's boxes end on the last pixel; one more makes them whole.
        "boxes": masks_to_boxes(masks) + torch.tensor([0, 0, 1, 1]),
        "labels": torch.ones_like(ids),
        "masks": masks.to(torch.uint8),
    }
    losses: dict[str, Tensor] = network(list(image), [target])
    return losses


def step(
    losses_of: Losses, optimizer: torch.optim.Optimizer, labels: NDArray[np.int32]
) -> None:
    """Forward, backward and update."""
    total = torch.stack(list(losses_of(image_of(labels), labels).values())).sum()
    optimizer.zero_grad()
    total.backward()
    optimizer.step()


def measure_side(side: str, size: int, count: int, repeats: int) -> Cost:
    """Measure one side in this process."""
    network: nn.Module
    if side == "ours":
        network = our_network("maskrcnn").train()
        losses_of = partial(our_losses, network)
    else:
        network = torchvision_network(size).train()
        losses_of = partial(torchvision_losses, network)
    optimizer = torch.optim.SGD(network.parameters(), 1e-5, momentum=0.9)
    run = partial(step, losses_of, optimizer)
    return measure(
        partial(run, label_scene(64, 4)),
        partial(run, label_scene(size, count)),
        repeats,
    )


def main() -> None:
    """Print the ratios; exit with 1 where a bar does not hold."""
    options: argparse.ArgumentParser = parser(__doc__)
    options.add_argument("--size", type=int, default=0, help="one scene: pixels")
    options.add_argument("--objects", type=int, default=0, help="one scene: objects")
    chosen = options.parse_args()
    torch.set_num_threads(chosen.threads)
    if chosen.side:
        print_cost(
            measure_side(chosen.side, chosen.size, chosen.objects, chosen.repeats)
        )
        return
    holds = True
    for (size, count), bars in SCENES.items():
        arguments = f"--size {size} --objects {count} --repeats {chosen.repeats}"
        arguments += f" --threads {chosen.threads}"
        ours, theirs = measure_apart(
            __file__, arguments.split(), ("ours", "torchvision"), chosen.rounds
        )
        name = f"training step, {size} x {size}, {count} objects"
        holds &= compare(name, ours, theirs, bars)
    sys.exit(not holds)


if __name__ == "__main__":
    main()
