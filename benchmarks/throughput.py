"""Images a second on a GPU against torchvision's Mask R-CNN.

Images of 1000 x 1000 with 1,000 objects.

The same backbone (ResNet-50-FPN, GroupNorm), the same numbers of proposals and
detections (the weights are random), bfloat16 on both sides, from images in the memory
of the host to results there: boxes, scores, and masks as each side gives them, ours on
the grids of their boxes, torchvision's as large as the image.  The batch doubles until
memory ends; the best counts.

Ratio >= 1.5 at one image, >= 3 at the best batch of each side.

    python benchmarks/throughput.py
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from scenes import image_of, label_scene, paper_config, torchvision_network
from torch import Tensor

from napari_pffnet.build import build_network
from napari_pffnet.config import ModelConfig
from napari_pffnet.segmentation.predictor import Predictor
from napari_pffnet.weights import place

MOST_SECONDS = 40.0
"""A batch that takes longer is the last: a GPU of little memory pages."""
BARS = {"one image": 1.5, "best batch": 3.0}

Run = Callable[[Tensor], object]


@dataclass(frozen=True, slots=True)
class Work:
    """Size of the images, number of objects, where it runs."""

    size: int
    objects: int
    device: torch.device

    @property
    def proposals(self) -> int:
        """Twice as many as there are objects, as trained networks propose."""
        return 2 * self.objects


def our_run(work: Work, variant: str) -> Run:
    """Return one of our networks on (B, 3, Y, X) images on the host."""
    torch.manual_seed(0)
    limits = {
        "rpn_post_nms_test": work.proposals,
        "max_detections": work.objects,
        "candidate_score": 0.0,
    }
    config = ModelConfig(**{**paper_config(variant).model_dump(), **limits})
    network = place(build_network(config), work.device).eval()
    predictor = Predictor(network, work.device, torch.bfloat16)
    return lambda images: predictor(*images.permute(0, 2, 3, 1).numpy())


def torchvision_run(work: Work) -> Run:
    """Return torchvision's network on (B, 3, Y, X) images on the host."""
    network = torchvision_network(work.size, work.proposals, work.objects)
    network.roi_heads.score_thresh = 0.0
    network.eval().to(work.device)

    def run(images: Tensor) -> object:
        with torch.inference_mode(), torch.autocast(work.device.type, torch.bfloat16):
            found = network(list(images.to(work.device)))
        return [{name: t.cpu() for name, t in one.items()} for one in found]

    return run


def images_a_second(run: Run, images: Tensor, repeats: int) -> float:
    """Return the throughput of a batch, after one run to warm up."""
    run(images)
    start = time.perf_counter()
    for _ in range(repeats):
        run(images)
    return repeats * len(images) / (time.perf_counter() - start)


def throughputs(run: Run, image: Tensor, repeats: int, most: int) -> list[float]:
    """Return images a second of batches of 1, 2, 4, ... until memory ends."""
    found: list[float] = []
    while 2 ** len(found) <= most:
        batch = image.expand(2 ** len(found), -1, -1, -1).contiguous()
        try:
            found.append(images_a_second(run, batch, repeats))
        except torch.cuda.OutOfMemoryError:
            return found
        print(f"  {len(batch):4} at once: {found[-1]:8.2f} images a second", flush=True)
        if len(batch) / found[-1] > MOST_SECONDS:
            break
    return found


def main() -> None:
    """Print throughputs and ratios; exit with 1 where a bar does not hold."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--size", type=int, default=1000)
    options.add_argument("--objects", type=int, default=1000)
    options.add_argument("--variant", default="pffnet", choices=["pffnet", "maskrcnn"])
    options.add_argument("--repeats", type=int, default=3)
    options.add_argument("--most", type=int, default=64, help="largest batch")
    options.add_argument("--device", default="cuda", help="cpu only to try the script")
    chosen = options.parse_args()
    if chosen.device == "cuda" and not torch.cuda.is_available():
        options.error("no GPU was found, and the bars are for one")
    work = Work(chosen.size, chosen.objects, torch.device(chosen.device))
    image = image_of(label_scene(work.size, work.objects))
    rates = {}
    for name, make in (
        (chosen.variant, lambda: our_run(work, chosen.variant)),
        ("torchvision", lambda: torchvision_run(work)),
    ):
        print(name)
        rates[name] = throughputs(make(), image, chosen.repeats, chosen.most)
    ours, theirs = rates.values()
    if not ours or not theirs:
        sys.exit("One side does not fit into this GPU, not even with one image.")
    ratios = (ours[0] / theirs[0], max(ours) / max(theirs))
    holds = True
    for (what, bar), ratio in zip(BARS.items(), ratios, strict=True):
        print(f"{what}: ratio {ratio:.2f} (bar {bar})")
        holds &= ratio >= bar
    sys.exit(not holds)


if __name__ == "__main__":
    main()
