"""1,000 objects in 1000 x 1000: from network output to label image.

Against torchvision's ``paste_masks_in_image`` + argmax, on one thread.
Time <= 0.10, memory <= 0.05.

    python benchmarks/painting.py
"""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING

import torch
from apart import Bars, Cost, compare, measure, measure_apart, parser, print_cost
from torch.nn import functional
from torchvision.models.detection.roi_heads import paste_masks_in_image

from napari_pffnet.pffnet.structures import Detections
from napari_pffnet.segmentation import to_instances

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

SIZE, COUNT = 1000, 1000


def network_output(count: int) -> Detections:
    """Return ellipses of 15 to 45 px, as a network would."""
    torch.manual_seed(0)
    sides = torch.rand(count, 2) * 30 + 15
    corners = torch.rand(count, 2) * (SIZE - 45)
    cells = (torch.arange(28) + 0.5) / 28 - 0.5
    logits = 20 * (0.2 - cells[:, None] ** 2 - cells**2).repeat(count, 1, 1)
    return Detections(
        boxes=torch.cat([corners, corners + sides], 1),
        class_ids=torch.ones(count, dtype=torch.int64),
        scores=torch.rand(count) * 0.5 + 0.5,
        qualities=torch.rand(count) * 0.5 + 0.5,
        mask_logits=logits,
    )


def paint_ours(found: Detections) -> np.ndarray:
    return to_instances(found, (SIZE, SIZE)).to_labels(score_threshold=0.5)


def paint_torchvision(found: Detections) -> Tensor:
    confidences = found.scores * found.qualities
    pasted = paste_masks_in_image(
        found.mask_logits.sigmoid()[:, None], found.boxes, (SIZE, SIZE)
    )[:, 0]
    # In place: no second tensor of 4 GB is held against it.
    weighted = functional.threshold(pasted, 0.5, 0, inplace=True).sign_()
    best, index = weighted.mul_(confidences[:, None, None]).max(0)
    return torch.where(best > 0, index + 1, 0)


SIDES = {"ours": paint_ours, "torchvision": paint_torchvision}


def measure_side(side: str, repeats: int) -> Cost:
    torch.set_num_threads(1)
    few, many = network_output(10), network_output(COUNT)
    return measure(partial(SIDES[side], few), partial(SIDES[side], many), repeats)


def main() -> None:
    chosen = parser(__doc__).parse_args()
    if chosen.side:
        print_cost(measure_side(chosen.side, chosen.repeats))
        return
    repeats = ["--repeats", str(chosen.repeats)]
    ours, theirs = measure_apart(__file__, repeats, SIDES, chosen.rounds)
    name = f"{COUNT} objects in {SIZE} x {SIZE}"
    sys.exit(not compare(name, ours, theirs, Bars(0.10, 0.05)))


if __name__ == "__main__":
    main()
