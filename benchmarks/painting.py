"""1,000 objects in 1000 x 1000: from network output to label image.

Against torchvision's ``paste_masks_in_image`` + argmax, in one run, each side in
fresh processes on one thread.  Memory is the growth of the largest resident size
after one warm-up with few objects, and the time the median of several runs.

    python benchmarks/painting.py
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torchvision.models.detection.roi_heads import paste_masks_in_image

from napari_pffnet.pffnet.structures import Detections
from napari_pffnet.segmentation import to_instances

if TYPE_CHECKING:
    from collections.abc import Callable

SIZE = 1000
TIME_BAR, MEMORY_BAR = 0.10, 0.05


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


SIDES: dict[str, Callable[[Detections], object]] = {
    "ours": paint_ours,
    "torchvision": paint_torchvision,
}


def measure(side: str, count: int, repeats: int) -> dict[str, float]:
    """Return seconds and growth of the largest resident size in MiB."""
    torch.set_num_threads(1)
    paint, found = SIDES[side], network_output(count)
    paint(network_output(10))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        paint(found)
        seconds.append(time.perf_counter() - start)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"seconds": float(np.median(seconds)), "mib": (after - before) / 1024}


def measure_apart(side: str, count: int, repeats: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--side", side]
    command += ["--objects", str(count), "--repeats", str(repeats)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    measured: dict[str, float] = json.loads(done.stdout)
    return measured


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--side", choices=list(SIDES), help="measure one, here")
    options = parser.parse_args()
    if options.side:
        print(json.dumps(measure(options.side, options.objects, options.repeats)))
        return
    ours, theirs = (measure_apart(s, options.objects, options.repeats) for s in SIDES)
    for name, side in (("ours", ours), ("torchvision", theirs)):
        print(f"{name:12} {side['seconds']:8.3f} s {side['mib']:9.1f} MiB")
    time_ratio = ours["seconds"] / theirs["seconds"]
    memory_ratio = ours["mib"] / theirs["mib"]
    print(f"time ratio   {time_ratio:.4f} (bar {TIME_BAR})")
    print(f"memory ratio {memory_ratio:.4f} (bar {MEMORY_BAR})")
    sys.exit(time_ratio > TIME_BAR or memory_ratio > MEMORY_BAR)


if __name__ == "__main__":
    main()
