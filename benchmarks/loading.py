"""How long a run over many images waits for files.

Segments 500 small images (PNG and compressed TIFF, 160 x 128, 16 bit) with the bundled
model and prints the share of the time that was spent waiting until an image was read;
the run itself measures it.  The bar is 0.05.

    python benchmarks/loading.py
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import tifffile
import torch

from napari_pffnet import load_sample, segment_files

BAR = 0.05


def write_images(folder: Path, count: int) -> None:
    """Write parts of the sample with nuclei, each another one."""
    image = load_sample("fluorescence").image
    rng = np.random.default_rng(0)
    height, width = image.shape
    for number in range(count):
        y, x = rng.integers(height - 128), rng.integers(width - 160)
        part = image[y : y + 128, x : x + 160]
        if number % 2:
            imageio.imwrite(folder / f"{number:04}.png", part)
        else:
            path = folder / f"{number:04}.tif"
            tifffile.imwrite(path, part, compression="zlib")


def main() -> None:
    """Print the share; exit with 1 where the bar does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--threads", type=int, default=2)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    with tempfile.TemporaryDirectory() as place:
        images, out = Path(place, "images"), Path(place, "results")
        images.mkdir()
        write_images(images, chosen.images)
        result = segment_files(images, out=out, device="cpu")
    share = result.waited / result.seconds
    print(
        f"{len(result.records)} images in {result.seconds:.0f} s, "
        f"{result.waited:.2f} s of it waiting for files: {share:.4f} (bar {BAR})"
    )
    sys.exit(share > BAR or len(result.records) < chosen.images)


if __name__ == "__main__":
    main()
