"""What a segmentation spends outside the network.

About 1,000 nuclei in 1000 x 1000 pixels: reading, proposals, NMS, masks to pixels,
painting and the table take <= 0.25 of the time of backbone + FPN on the same image.

    python benchmarks/outside.py
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile
import torch
from mosaics import nuclei_mosaic

from napari_pffnet import load_model, segment
from napari_pffnet.data.lazy import open_image
from napari_pffnet.data.resample import resample

if TYPE_CHECKING:
    from collections.abc import Callable

BAR, SIDE, SHRUNK_FROM = 0.25, 1000, 1640


class Clock:
    """Adds up the time that calls take, by name."""

    def __init__(self, device: torch.device) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._device = device

    def now(self) -> float:
        if self._device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()

    def timed(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **options: Any) -> Any:
            start = self.now()
            try:
                return call(*arguments, **options)
            finally:
                self.seconds[name] += self.now() - start

        return run


def main() -> None:
    """Print where the time goes; exit with 1 where the bar does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument(
        "--diameter", type=float, default=20, help="30: the image is not enlarged"
    )
    chosen = parser.parse_args()
    mosaic = nuclei_mosaic(SHRUNK_FROM).astype(np.float32)[..., None]
    size = slice(0, SIDE)
    image = resample(
        lambda y, x: mosaic[y, x], mosaic.shape[:2], (SIDE, SIDE), (size, size)
    )
    model = load_model("nuclei", device=chosen.device)
    clock = Clock(model.device)
    network: Any = model.network
    for name, part in (
        ("backbone + FPN", network.backbone),
        ("RPN head", network.rpn),
        ("box branch", network.box_branch),
        ("mask branch", network.mask_branch),
        ("quality branch", network.mask_branch.quality),
        ("semantic branch", network.semantic),
    ):
        part.forward = clock.timed(name, part.forward)
    runs = []
    with TemporaryDirectory() as folder:
        path = Path(folder) / "image.tif"
        tifffile.imwrite(path, np.round(image[..., 0]).astype(np.uint16))
        for _ in range(chosen.repeats + 1):
            clock.seconds.clear()
            start = clock.now()
            result = segment(open_image(path).array, model, diameter=chosen.diameter)
            whole = clock.now() - start
            clock.seconds["outside"] = whole - sum(clock.seconds.values())
            runs.append(dict(clock.seconds))
    medians = {n: float(np.median([run[n] for run in runs[1:]])) for n in runs[0]}
    print(f"{len(result.objects)} objects, {len(result.instances)} candidates")
    for name, seconds in medians.items():
        print(f"  {name:16} {seconds:7.3f} s")
    ratio = medians["outside"] / medians["backbone + FPN"]
    print(f"  ratio to backbone + FPN {ratio:.3f} (bar {BAR})")
    sys.exit(ratio > BAR)


if __name__ == "__main__":
    main()
