"""Mask targets, sampled from the label map: no N x Y x X tensor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_pffnet.pffnet.structures import ImageTarget

_SUBSAMPLES = 4
"""Samples a cell and axis: the share of a cell that is covered, in 1/16ths."""


@dataclass(frozen=True, slots=True)
class MaskTargets:
    """Truth on the grids of RoIs, both (R, M, M) float32 in [0, 1].

    Attributes
    ----------
    covered
        The share of each cell that the RoI's object covers.
    known
        The share of each cell that is not ignored.
    """

    covered: Tensor
    known: Tensor


def mask_targets(
    targets: Sequence[ImageTarget],
    boxes: Tensor,
    image_index: Tensor,
    objects: Tensor,
    size: int,
) -> MaskTargets:
    """Sample the label maps of a batch on the grids of its RoIs.

    Cell ``j`` of a RoI spans ``x0 + j w / M .. x0 + (j + 1) w / M``, the same
    geometry that RoIAlign reads and painting writes.

    Parameters
    ----------
    targets
        The truth about each image, all of one size.
    boxes
        (R, 4) RoIs in pixels; what sticks out of the image is background.
    image_index
        (R,) image of the batch each RoI lies in.
    objects
        (R,) index of the object of that image each RoI stands for.
    size
        Side M of the grid.
    """
    steps = size * _SUBSAMPLES
    offset = (torch.arange(steps, device=boxes.device) + 0.5) / steps
    x = boxes[:, 0, None] + offset * (boxes[:, 2] - boxes[:, 0])[:, None]
    y = boxes[:, 1, None] + offset * (boxes[:, 3] - boxes[:, 1])[:, None]
    n_y, n_x = targets[0].label_map.shape
    inside = _between(y, n_y)[:, :, None] & _between(x, n_x)[:, None, :]
    rows = y.floor().long().clamp(0, n_y - 1)[:, :, None]
    columns = x.floor().long().clamp(0, n_x - 1)[:, None, :]
    position = (image_index[:, None, None] * n_y + rows) * n_x + columns
    labels = torch.stack([t.label_map for t in targets]).flatten()[position]
    hit = (labels == (objects + 1)[:, None, None]) & inside
    ignore = torch.stack([t.ignore for t in targets])
    if ignore.any():
        known = _cell_mean(~(ignore.flatten()[position] & inside), size)
    else:
        known = boxes.new_ones(len(boxes), size, size)
    return MaskTargets(_cell_mean(hit, size), known)


def _between(values: Tensor, high: int) -> Tensor:
    return (values >= 0) & (values < high)


def _cell_mean(fine: Tensor, size: int) -> Tensor:
    shape = (len(fine), size, _SUBSAMPLES, size, _SUBSAMPLES)
    return fine.view(shape).float().mean((2, 4))
