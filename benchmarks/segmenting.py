"""`segment` of 512 x 512 with 300 objects against torchvision's Mask R-CNN.

ResNet-50-FPN with GroupNorm, from the image to the label image.  The weights are
random, so both sides are told to keep 1,000 proposals and 300 detections: as much
work for the heads as trained networks have.

Switch ``maskrcnn``: time <= 0.9; whole PFFNet: time <= 2.4; both: memory <= 0.8.

    python benchmarks/segmenting.py
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import torch
from apart import Bars, Cost, compare, measure, measure_apart, parser, print_cost
from scenes import image_of, label_scene, paper_config, torchvision_network
from torch import Tensor

from napari_pffnet import segment
from napari_pffnet.build import build_network
from napari_pffnet.config import CheckpointInfo, ModelConfig
from napari_pffnet.weights import Model, place

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SIZE, COUNT, PROPOSALS = 512, 300, 1000
BARS = {"maskrcnn": Bars(0.9, 0.8), "pffnet": Bars(2.4, 0.8)}

Segment = Callable[[Tensor], object]


def our_segment(variant: str, count: int) -> Segment:
    """Return our segmentation, without the estimate of the object size."""
    torch.manual_seed(0)
    limits = {"rpn_post_nms_test": PROPOSALS, "max_detections": count}
    config = ModelConfig(**{**paper_config(variant).model_dump(), **limits})
    info = CheckpointInfo(name=variant, model=config)
    device = torch.device("cpu")
    model = Model(place(build_network(config), device).eval(), info, device)

    def run(image: Tensor) -> object:
        pixels = image[0].permute(1, 2, 0).numpy()
        return segment(pixels, model, diameter=info.diameter, score_threshold=0.05)

    return run


def torchvision_segment(count: int) -> Segment:
    """Return torchvision's network and its masks as one label image."""
    network = torchvision_network(SIZE, PROPOSALS, count).eval()

    def run(image: Tensor) -> NDArray[np.int64]:
        with torch.inference_mode():
            found = network(list(image))[0]
        inside = (found["masks"][:, 0] > 0.5) * found["scores"][:, None, None]
        best, index = inside.max(0)
        return torch.where(best > 0, index + 1, 0).numpy()

    return run


def measure_side(side: str, repeats: int) -> Cost:
    """Measure one side in this process."""
    make = torchvision_segment if side == "torchvision" else partial(our_segment, side)
    few, many = make(4), make(COUNT)
    image = image_of(label_scene(SIZE, COUNT))
    return measure(lambda: few(image[..., :64, :64]), partial(many, image), repeats)


def main() -> None:
    """Print the ratios; exit with 1 where a bar does not hold."""
    chosen = parser(__doc__).parse_args()
    torch.set_num_threads(chosen.threads)
    if chosen.side:
        print_cost(measure_side(chosen.side, chosen.repeats))
        return
    arguments = f"--repeats {chosen.repeats} --threads {chosen.threads}".split()
    *ours, theirs = measure_apart(
        __file__, arguments, [*BARS, "torchvision"], chosen.rounds
    )
    holds = [
        compare(f"segment, {side}", cost, theirs, bars)
        for (side, bars), cost in zip(BARS.items(), ours, strict=True)
    ]
    sys.exit(not all(holds))


if __name__ == "__main__":
    main()
