"""From a network's masks, on grids that span their boxes, to pixels of the image."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from napari_pffnet.instances import Instances
from napari_pffnet.pffnet.paste import roi_footprint, roi_windows, sample_masks

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from napari_pffnet.pffnet.structures import Detections

_MOST_PIXELS = 2**22
"""Pixels that are sampled at once on a GPU, where each takes 100 bytes."""


def to_instances(found: Detections, shape: tuple[int, int]) -> Instances:
    """Turn candidates of a network into pixels of an image of ``shape`` (Y, X).

    Masks on a GPU become pixels there, unless they are too large for its memory.
    """
    told = (found.class_ids.numpy(), found.scores.numpy(), found.qualities.numpy())
    probabilities = found.mask_logits.sigmoid()
    windows = roi_windows(found.boxes, *shape).numpy()
    sizes = (windows[:, 2:] - windows[:, :2]).prod(axis=1)
    if not probabilities.is_cuda or sizes.max(initial=0) > _MOST_PIXELS:
        return Instances.from_mask_grids(
            probabilities.cpu().numpy(), found.boxes.numpy(), *told, shape
        )
    pixels = sample_pixels(probabilities, found.boxes, sizes, shape)
    return Instances.from_pixels(pixels, windows[:, [1, 0, 3, 2]], *told, shape)


def sample_pixels(
    grids: Tensor, boxes: Tensor, sizes: NDArray[np.int64], shape: tuple[int, int]
) -> NDArray[np.bool_]:
    """Return where masks are above 0.5, as `Instances.from_mask_grids` does.

    Parameters
    ----------
    grids
        (N, M, M) probabilities; it is done where they are.
    boxes
        (N, 4) x0, y0, x1, y1, on the CPU.
    sizes
        (N,) pixels of each window.
    shape
        (Y, X) of the image.

    Returns
    -------
    1-D, the pixels of all `roi_windows`, each row-major, end to end.
    """
    before = np.cumsum(sizes) - sizes
    starts = np.flatnonzero(np.diff(before // _MOST_PIXELS, prepend=-1)).tolist()
    parts = [np.empty(0, np.bool_)]
    for start, stop in pairwise([*starts, len(sizes)]):
        here = boxes[start:stop].to(grids.device)
        values = sample_masks(
            grids[start:stop, None], here, roi_footprint(here, *shape)
        )
        parts.append((values[:, 0] > 0.5).cpu().numpy())
    return np.concatenate(parts)
