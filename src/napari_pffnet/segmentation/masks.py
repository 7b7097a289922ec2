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
    windows = roi_windows(found.boxes, *shape).numpy()
    sizes = (windows[:, 2:] - windows[:, :2]).prod(axis=1)
    if found.mask_logits.is_cuda and sizes.max(initial=0) <= _MOST_PIXELS:
        return sample_instances(found, windows, shape)
    return Instances.from_mask_grids(
        found.mask_logits.sigmoid().cpu().numpy(),
        found.boxes.numpy(),
        found.class_ids.numpy(),
        found.scores.numpy(),
        found.qualities.numpy(),
        shape,
    )


def sample_instances(
    found: Detections, windows: NDArray[np.int64], shape: tuple[int, int]
) -> Instances:
    """Return what `Instances.from_mask_grids` does, found where the masks are.

    Parameters
    ----------
    found
        Candidates; all but their masks on the CPU.
    windows
        Their `roi_windows`.
    shape
        (Y, X) of the image.
    """
    sizes = (windows[:, 2:] - windows[:, :2]).prod(axis=1)
    sampled = Instances(
        boxes=windows[:, [1, 0, 3, 2]].astype(np.int32),
        masks=_sample_pixels(found.mask_logits.sigmoid(), found.boxes, sizes, shape),
        offsets=np.append(0, np.cumsum(sizes)),
        class_ids=found.class_ids.numpy().astype(np.int32),
        scores=found.scores.numpy(),
        qualities=found.qualities.numpy(),
        shape=shape,
    )
    return sampled.drop_empty()


def _sample_pixels(
    grids: Tensor, boxes: Tensor, sizes: NDArray[np.int64], shape: tuple[int, int]
) -> NDArray[np.bool_]:
    """Return where (N, M, M) probabilities are above 0.5, window after window.

    ``sizes`` are the pixels of the windows, of which a part is done at a time.
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
