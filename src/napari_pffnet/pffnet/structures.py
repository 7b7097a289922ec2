"""What goes into a network and what comes out, whatever its architecture."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class ImageTarget:
    """The truth about one training image, as tensors.

    Attributes
    ----------
    label_map
        (Y, X) int32; 0 is background, ``i + 1`` are the pixels of object ``i``.
    boxes
        (N, 4) float32, x0, y0, x1, y1, half-open, pixels.
    class_ids
        (N,) int64 in 1..C.
    areas
        (N,) float32, pixels of each object in this image.
    ignore
        (Y, X) bool; pixels of which nothing is known.  ``label_map`` is 0 there.
    """

    label_map: Tensor
    boxes: Tensor
    class_ids: Tensor
    areas: Tensor
    ignore: Tensor

    @property
    def semantic(self) -> Tensor:
        """(Y, X) int64 class map, 0 = background, -1 = ignored."""
        table = torch.cat([self.class_ids.new_zeros(1), self.class_ids])
        return table[self.label_map.long()].masked_fill(self.ignore, -1)


@dataclass(frozen=True, slots=True)
class Detections:
    """Candidates found in one image, in falling score.

    Attributes
    ----------
    boxes
        (N, 4) float32, x0, y0, x1, y1, half-open, continuous pixel coordinates.
    class_ids
        (N,) int64 in 1..C.
    scores
        (N,) float32, classification score s_cls.
    qualities
        (N,) float32, mask quality s_qua; NaN without a quality branch.
    mask_logits
        (N, M, M) float32, the object's logits on a grid that spans its box.
    """

    boxes: Tensor
    class_ids: Tensor
    scores: Tensor
    qualities: Tensor
    mask_logits: Tensor

    def __len__(self) -> int:
        """Return the number of candidates."""
        return len(self.boxes)

    def select(self, index: Tensor) -> Self:
        """Return the candidates at ``index`` (positions or a bool mask)."""
        return type(self)(*(getattr(self, f.name)[index] for f in fields(self)))


@dataclass(frozen=True, slots=True)
class NetworkOutput:
    """Output of a network for a batch of images.

    Attributes
    ----------
    detections
        One item an image.
    semantic_logits
        (B, C + 1, Y, X) float32 at image resolution, or None without a
        semantic branch.
    """

    detections: list[Detections]
    semantic_logits: Tensor | None
