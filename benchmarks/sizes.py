"""Whether nuclei are found whatever their size in pixels, without being told it.

Validation images are enlarged or reduced until their median nucleus has the wanted
diameter, and segmented with all options at their defaults, then once more with that
diameter given.  Printed is the mean F1 at IoU 0.5.

    python benchmarks/sizes.py --data ../shared/data
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from skimage.transform import resize

from napari_pffnet import evaluation as ev
from napari_pffnet import load_model, segment
from napari_pffnet.data.readers import read_image, read_labels

if TYPE_CHECKING:
    from numpy.typing import NDArray

DIAMETERS = (8, 12, 16, 24, 48, 72, 95, 120)
SIDE = 256
"""Of the part of each image that is rescaled, pixels."""


def parts(
    folder: Path, count: int
) -> list[tuple[NDArray[np.generic], NDArray[np.generic], float]]:
    """Return middles of images spread over a set, their labels and median diameter."""
    paths = sorted((folder / "images").iterdir())
    found = []
    for path in paths[:: max(1, len(paths) // (2 * count))]:
        image = np.asarray(read_image(path).array)
        labels = read_labels(folder / "labels" / path.name)
        y, x = (max(0, (n - SIDE) // 2) for n in labels.shape)
        image, labels = (a[y : y + SIDE, x : x + SIDE] for a in (image, labels))
        areas = np.unique(labels[labels > 0], return_counts=True)[1]
        if len(areas) >= 4:
            found.append((image, labels, float(np.sqrt(4 / np.pi * np.median(areas)))))
    return found[:count]


def rescaled(
    image: NDArray[np.generic], labels: NDArray[np.generic], factor: float
) -> tuple[NDArray[np.generic], NDArray[np.generic]]:
    """Return an image and its labels at another size, of the same types."""
    shape = tuple(round(n * factor) for n in labels.shape)
    pixels = resize(
        image, (*shape, *image.shape[2:]), preserve_range=True, anti_aliasing=factor < 1
    )
    numbers = resize(labels, shape, order=0, preserve_range=True, anti_aliasing=False)
    return pixels.round().astype(image.dtype), numbers.astype(labels.dtype)


def main() -> None:
    """Print a table, one row a set and a way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--images", type=int, default=8, help="of each set")
    parser.add_argument("--model", default="nuclei", help="name or checkpoint")
    parser.add_argument("--threads", type=int, default=0)
    chosen = parser.parse_args()
    if chosen.threads:
        torch.set_num_threads(chosen.threads)
    model = load_model(chosen.model, device="cpu")
    print("pixels across          " + "".join(f"{d:7d}" for d in DIAMETERS))
    for name in ("bbbc039", "dsb2018"):
        images = parts(chosen.data / name / "val", chosen.images)
        for way in ("auto", "given"):
            print(f"{name:10} diameter {way:5}", end="", flush=True)
            for diameter in DIAMETERS:
                scores = []
                for image, labels, median in images:
                    pixels, truth = rescaled(image, labels, diameter / median)
                    size = "auto" if way == "auto" else diameter
                    found = segment(pixels, model, diameter=size).labels
                    scores.append(ev.object_f1(truth, found, iou=0.5))
                print(f"{np.mean(scores):7.3f}", end="", flush=True)
            print()


if __name__ == "__main__":
    main()
