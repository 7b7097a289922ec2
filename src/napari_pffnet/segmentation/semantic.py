"""The class map of an image from the logits of its tiles."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from napari_pffnet.data.tiling import Span, Tile
    from napari_pffnet.segmentation.view import Scaled

_STRIP = 512
"""Rows that are interpolated at once."""


@dataclass(frozen=True, slots=True)
class ClassPatch:
    """Part of a class map.

    Attributes
    ----------
    place
        Rows and columns of the plane.
    pixels
        uint8 of that shape.
    """

    place: tuple[slice, slice]
    pixels: NDArray[np.uint8]


def classes_of_core(logits: Tensor, tile: Tile, scaled: Scaled) -> ClassPatch:
    """Return the most likely class of every pixel of a tile's core.

    Parameters
    ----------
    logits
        (C + 1, y, x) of the whole tile.
    tile
        Cut from ``scaled``.
    scaled
        The plane as the network sees it.
    """
    factors = scaled.factors
    rows, columns = (
        _core_of_image(span, factor, size)
        for span, factor, size in zip(
            (tile.y, tile.x), factors, scaled.plane.shape, strict=True
        )
    )
    pixels = np.empty((rows.stop - rows.start, columns.stop - columns.start), np.uint8)
    if len(logits) == 2:
        # Of two classes the difference tells, with half as much to interpolate.
        logits = logits[1:] - logits[:1]
    edges = [*range(rows.start, rows.stop, _STRIP), rows.stop]
    # Whole images of float logits do not fit: strip by strip.
    for start, stop in pairwise(edges):
        part = _sample(logits, -2, slice(start, stop), tile.y, factors[0])
        part = _sample(part, -1, columns, tile.x, factors[1])
        likely = _most_likely(part).cpu().numpy()
        pixels[start - rows.start : stop - rows.start] = likely
    return ClassPatch((rows, columns), pixels)


def _most_likely(logits: Tensor) -> Tensor:
    """Return the class of the largest logit, (Y, X) uint8; of equal ones the first.

    A single one is that of class 1 less that of class 0.
    """
    if len(logits) == 1:
        return (logits[0] > 0).to(torch.uint8)
    return logits.argmax(0).to(torch.uint8)


def _core_of_image(span: Span, factor: float, size: int) -> slice:
    """Return the pixels of the image whose centres lie in a core."""
    edges = np.ceil(np.array([span.core_start, span.core_stop]) * factor - 0.5)
    start, stop = edges.clip(0, size).astype(int).tolist()
    return slice(start, stop if span.core_stop < span.size else size)


def _sample(
    logits: Tensor, axis: int, pixels: slice, span: Span, factor: float
) -> Tensor:
    """Interpolate logits along one axis at the centres of pixels of the image."""
    if factor == 1:
        return logits.narrow(
            axis, pixels.start - span.start, pixels.stop - pixels.start
        )
    centres = torch.arange(pixels.start, pixels.stop, device=logits.device) + 0.5
    last = span.stop - span.start - 1
    place = (centres / factor - span.start - 0.5).clamp(0, last)
    low = place.long()
    part = (place - low).to(logits.dtype)
    first = logits.index_select(axis, low)
    second = logits.index_select(axis, (low + 1).clamp(max=last))
    return first.lerp(second, part[:, None] if axis == -2 else part)
