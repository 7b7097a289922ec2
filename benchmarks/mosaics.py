"""Large images made of real nuclei, from the validation set beside the checkout."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_pffnet.data.readers import read_image

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHARED = Path(__file__).parents[2] / "shared" / "data"


def nuclei_mosaic(side: int, *, shift: int = 0) -> NDArray[np.uint16]:
    """Return a square of whole fields of nuclei, set beside each other.

    Parameters
    ----------
    side
        Of the mosaic, pixels.
    shift
        Number of the field to begin with.
    """
    folder = SHARED / "bbbc039" / "val" / "images"
    if not folder.is_dir():
        sys.exit(f"This needs the images in {folder}.")
    paths = sorted(folder.iterdir())
    height, width = read_image(paths[0]).array.shape
    rows, columns = -(-side // height), -(-side // width)
    fields = [
        read_image(paths[(3 * i + shift) % len(paths)]).array
        for i in range(rows * columns)
    ]
    strips = [np.hstack(fields[r * columns : (r + 1) * columns]) for r in range(rows)]
    return np.vstack(strips)[:side, :side]
