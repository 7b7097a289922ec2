"""Otsu + watershed of scikit-image on real images: what a network has to beat.

    python benchmarks/classical_baseline.py [--data ../shared/data] [--part val]

prints one row a data set.  A folder of data sets holds ``<set>/<part>/images`` and
``<set>/<part>/labels`` with equal stems.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage
from skimage.color import rgb2gray
from skimage.feature import peak_local_max
from skimage.filters import gaussian, threshold_otsu
from skimage.segmentation import watershed

from napari_pffnet.data.readers import read_image
from napari_pffnet.evaluation import LabelPair, evaluate_pair, find_pairs, summarize

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_pffnet.evaluation import Report

COLUMNS = ("aji", "pq", "f1", "dice", "ap50", "ap")
SMALLEST_AREA = 30
SEED_DISTANCE = 7


def segment_classically(image: NDArray[np.generic]) -> NDArray[np.int32]:
    """Segment one (Y, X) or (Y, X, 3) image; return (Y, X) int32 labels."""
    grey = rgb2gray(image[..., :3]) if image.ndim == 3 else image.astype(np.float64)
    smooth = gaussian(grey, sigma=1, preserve_range=True)
    if np.ptp(smooth) == 0:
        return np.zeros(grey.shape, np.int32)
    mask = smooth > threshold_otsu(smooth)
    # Nuclei are dark in stained tissue: they are the side with less area.
    if mask.mean() > 0.5:
        mask = ~mask
    mask = _without_small(ndimage.binary_fill_holes(mask))
    depth = gaussian(ndimage.distance_transform_edt(mask), sigma=1)
    pieces, _ = ndimage.label(mask)
    peaks = peak_local_max(
        depth, min_distance=SEED_DISTANCE, labels=pieces, exclude_border=False
    )
    seeds = np.zeros(grey.shape, np.int32)
    seeds[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    return watershed(-depth, seeds, mask=mask).astype(np.int32)


def evaluate_folder(folder: Path) -> Report:
    """Segment and evaluate ``images`` against ``labels``."""
    labels = folder / "labels"
    results = []
    for paths in find_pairs(labels, labels):
        truth = paths.read().true
        image = read_image(folder / "images" / paths.true.name).array
        found = segment_classically(image)
        results.append(evaluate_pair(LabelPair(paths.name, truth, found)))
    return summarize(results)


def _without_small(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    pieces, _ = ndimage.label(mask)
    is_large = np.bincount(pieces.ravel()) >= SMALLEST_AREA
    is_large[0] = False
    return is_large[pieces]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sets", nargs="*", default=["bbbc039", "dsb2018"])
    beside = Path(__file__).parents[2] / "shared" / "data"
    parser.add_argument("--data", type=Path, default=beside)
    parser.add_argument("--part", default="val", choices=["train", "val"])
    options = parser.parse_args()
    print(f"{'set':<20}{'images':>7}", *(f"{name:>14}" for name in COLUMNS), "seconds")
    for name in options.sets:
        start = time.perf_counter()
        report = evaluate_folder(options.data / name / options.part)
        cells = [f"{report.mean[c]:>8.3f} ±{report.std[c]:.2f}" for c in COLUMNS]
        seconds = time.perf_counter() - start
        print(f"{name:<20}{len(report.images):>7}", *cells, f"{seconds:7.1f}")


if __name__ == "__main__":
    main()
