"""Whether an image in tiles gives the objects of the whole image.

A mosaic of 2000 x 2000 pixels of real nuclei: AJI of the objects of tiles against those
of the whole >= 0.98 with tiles of 1024 and 512, >= 0.95 with 256; and no object with a
straight cut along a seam.

    python benchmarks/tiling.py
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

import numpy as np
import torch
from mosaics import nuclei_mosaic

from napari_pffnet import evaluation as ev
from napari_pffnet import load_model, segment
from napari_pffnet.data.tiling import context_margin, make_tiles

if TYPE_CHECKING:
    from numpy.typing import NDArray

BARS = {1024: 0.98, 512: 0.98, 256: 0.95}
_STRAIGHT, _DEEP = 8, 2
"""An edge of so many pixels along a seam is a cut where the object of the whole image
goes on for more pixels than that behind it."""


def straight_cuts(
    labels: NDArray[np.int32],
    whole: NDArray[np.int32],
    seams: tuple[set[int], set[int]],
) -> int:
    """Count the objects that end in a straight line at a seam, but not in the whole."""
    cut: set[int] = set()
    for axis, places in enumerate(seams):
        ours, theirs = np.moveaxis(labels, axis, 0), np.moveaxis(whole, axis, 0)
        for place in sorted(places - {0, len(ours)}):
            for before, beyond in (
                (place - 1, place + _DEEP),
                (place, place - _DEEP - 1),
            ):
                if not 0 <= beyond < len(ours):
                    continue
                ends = (ours[before] > 0) & (ours[before] != ours[beyond])
                ends &= (theirs[before] == theirs[beyond]) & (theirs[before] > 0)
                after = 2 * place - 1 - before
                ends &= ours[before] != ours[after]
                ids, counts = np.unique(ours[before][ends], return_counts=True)
                cut |= set(ids[counts >= _STRAIGHT].tolist())
    return len(cut)


def main() -> None:
    """Print the agreement; exit with 1 where a bar does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=2000)
    parser.add_argument("--threads", type=int, default=0)
    chosen = parser.parse_args()
    if chosen.threads:
        torch.set_num_threads(chosen.threads)
    image, model = nuclei_mosaic(chosen.side), load_model("nuclei", device="cpu")
    whole = segment(image, model, tile=0)
    diameter = whole.record.diameter
    print(f"whole: {len(whole.objects)} objects")
    holds = True
    for tile, bar in BARS.items():
        tiled = segment(image, model, tile=tile)
        score = ev.aji(whole.labels, tiled.labels)
        margin = context_margin(tiled.record.diameter or diameter)
        tiles = make_tiles(image.shape, tile=tile, margin=margin)
        seams = (
            {n for t in tiles for n in (t.y.start, t.y.core_start, t.y.stop)},
            {n for t in tiles for n in (t.x.start, t.x.core_start, t.x.stop)},
        )
        cuts = straight_cuts(tiled.labels, whole.labels, seams)
        print(
            f"tiles of {tile}: {len(tiled.objects)} objects, AJI {score:.4f} "
            f"(bar {bar}), {cuts} straight cuts (bar 0)"
        )
        holds &= score >= bar and cuts == 0
    sys.exit(not holds)


if __name__ == "__main__":
    main()
