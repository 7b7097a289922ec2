"""TIFFs with several images of which one is read."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import tifffile

logger = logging.getLogger("napari_pffnet")


def tell_of_others(tiff: tifffile.TiffFile, path: Path) -> None:
    """Say that images are left out, unless they are smaller than the first.

    Smaller ones are thumbnails, and the label of a slide.
    """
    first, *others = (math.prod(series.shape) for series in tiff.series)
    if any(size >= first for size in others):
        logger.warning(
            "%s holds %d images, of which only the first is read; save the others as "
            "files of their own.",
            path,
            len(others) + 1,
        )
