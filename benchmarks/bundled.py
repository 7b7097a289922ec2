"""The bundled model on 512 x 512 with about 100 nuclei against torchvision's.

Ours is `segment` with all options at their defaults, the estimate of the object size
included, from the image to labels and table.  Theirs is Mask R-CNN ResNet-50-FPN at the
same size, from the image to one label image; its weights are random, so it is told to
keep 100 detections whatever their scores.  Stock settings would enlarge the image to
800 x 800, which `--side enlarged` measures.

Time <= 0.5.

    python benchmarks/bundled.py
"""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING

import torch
from apart import Bars, Cost, compare, measure, measure_apart, parser, print_cost
from torchvision.models.detection import maskrcnn_resnet50_fpn

import napari_pffnet as pff
from napari_pffnet.sample_data import load_sample

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

SIZE, COUNT, STOCK_SIZE = 512, 100, 800
BARS = Bars(0.5, None)


def bundled() -> Callable[[NDArray[np.generic]], object]:
    """Return our segmentation with the bundled model."""
    model = pff.load_model("nuclei", device="cpu")
    return partial(pff.segment, model=model)


def torchvision_network(size: int) -> Callable[[NDArray[np.generic]], object]:
    """Return torchvision's network and its masks as one label image."""
    torch.manual_seed(0)
    network = maskrcnn_resnet50_fpn(
        weights=None,
        weights_backbone=None,
        num_classes=2,
        min_size=size,
        max_size=size,
        box_detections_per_img=COUNT,
        box_score_thresh=0.0,
    ).eval()

    def run(image: NDArray[np.generic]) -> NDArray[np.int64]:
        pixels = torch.from_numpy(image.astype("float32") / image.max())
        with torch.inference_mode():
            found = network([pixels.expand(3, -1, -1)])[0]
        inside = (found["masks"][:, 0] > 0.5) * found["scores"][:, None, None]
        best, index = inside.max(0)
        return torch.where(best > 0, index + 1, 0).numpy()

    return run


def nuclei() -> NDArray[np.generic]:
    """Return the part of the bundled sample that holds 95 nuclei."""
    return load_sample("fluorescence").image[:SIZE, 100 : 100 + SIZE]


def measure_side(side: str, repeats: int) -> Cost:
    """Measure one side in this process."""
    sizes = {"torchvision": SIZE, "enlarged": STOCK_SIZE}
    run = torchvision_network(sizes[side]) if side in sizes else bundled()
    image = nuclei()
    return measure(lambda: run(image[:64, :64]), partial(run, image), repeats)


def main() -> None:
    """Print the ratios; exit with 1 where the bar does not hold."""
    chosen = parser(__doc__).parse_args()
    torch.set_num_threads(chosen.threads)
    if chosen.side:
        print_cost(measure_side(chosen.side, chosen.repeats))
        return
    arguments = f"--repeats {chosen.repeats} --threads {chosen.threads}".split()
    ours, theirs = measure_apart(
        __file__, arguments, ("ours", "torchvision"), chosen.rounds
    )
    sys.exit(not compare("bundled model", ours, theirs, BARS))


if __name__ == "__main__":
    main()
