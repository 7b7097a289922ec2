"""How large the objects of an image are: a first quick look at several scales."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_pffnet.config import CheckpointInfo
    from napari_pffnet.pffnet.structures import Detections
    from napari_pffnet.segmentation.view import Plane

REDUCTIONS = (1 / 3, 1 / 9)
"""Scales at which large objects are looked for, too."""
MAGNIFICATION = 3.0
"""Scale at which small objects are looked for, too."""
LEAST_SIDE = 64
"""Reduced images are not smaller than this, pixels: in less, noise looks like
objects."""
SAMPLE = 512
"""Side of what is looked at, in pixels of the network."""
MAGNIFIED_SAMPLE = 384
"""The same under magnification."""
LEAST_SCORE = 0.5
"""Candidates of a lower score say nothing of the size."""
_ENOUGH = 0.7
"""Part of the largest evidence that a finer look needs to be believed."""
_SURE = 0.7
"""Objects of this confidence are surely there."""
_MANY = 10
"""So many of them are not the specks that a fine look finds in large objects, ..."""
_DENSER = 1.5
"""... where there are so many times more of them than a coarser look finds."""
_SMALL = 1.4
"""Objects up to so many times the smallest that are told apart may be smaller."""
_LEAST_DIAMETER = 11.0
"""Smaller ones are not told apart, trained on or not, pixels: half a pixel costs them
a fifth of their IoU."""


@dataclass(frozen=True, slots=True)
class Look:
    """What the network finds at one scale.

    Attributes
    ----------
    scale
        Pixels of the network a pixel of the image as given.
    diameters
        (N,) in pixels of the image as given.
    weights
        (N,) confidence of each.
    evidence
        Share of the look that objects cover, weighted by their confidences.
    area
        What was looked at, in square pixels of the image as given.
    """

    scale: float
    diameters: NDArray[np.floating[Any]]
    weights: NDArray[np.floating[Any]]
    evidence: float
    area: float

    @property
    def sure(self) -> int:
        """Number of objects that are surely there."""
        return int((self.weights >= _SURE).sum())


def look_at(
    found: Detections,
    shape: tuple[int, int],
    scale: float,
    diameter_range: tuple[float, float],
) -> Look:
    """Measure what the network finds at one scale.

    Objects larger than those that the network was trained on do not count: they
    are rather heaps of smaller ones.

    Parameters
    ----------
    found
        Candidates, in pixels of the network.
    shape
        (Y, X) of what it saw.
    scale
        Pixels of the network a pixel of the image as given.
    diameter_range
        Sizes of the objects in training, pixels.
    """
    sizes = (found.boxes[:, 2:] - found.boxes[:, :2]).prod(1)
    filled = (found.mask_logits > 0).float().mean((1, 2)).cpu()
    areas = (sizes * filled).numpy()
    qualities = found.qualities.nan_to_num(nan=1.0)
    confidences = (found.scores * qualities).numpy()
    diameters = np.sqrt(4 / np.pi * areas)
    known = diameters <= diameter_range[1]
    known &= found.scores.numpy() >= LEAST_SCORE
    covered = np.sum((areas * confidences**2)[known])
    return Look(
        scale,
        diameters[known] / scale,
        confidences[known],
        float(covered) / (shape[0] * shape[1]),
        shape[0] * shape[1] / scale**2,
    )


def estimate_diameter(looks: Sequence[Look]) -> float | None:
    """Return the typical diameter at the scale that explains the image best.

    Returns
    -------
    float or None
        Pixels of the image as given; None where nothing was found.
    """
    best = _best(looks)
    if best.evidence == 0:
        return None
    order = np.argsort(best.diameters)
    weights = np.cumsum(best.weights[order])
    middle = np.searchsorted(weights, weights[-1] / 2)
    return float(best.diameters[order][middle])


def may_be_smaller(looks: Sequence[Look], diameter_range: tuple[float, float]) -> bool:
    """Say whether a look through a magnifier may change the estimate.

    So it is where objects are small or not there, and where those of a reduced
    image may be heaps.
    """
    diameter = estimate_diameter(looks)
    small = _SMALL * max(diameter_range[0], _LEAST_DIAMETER)
    return diameter is None or diameter < small or _best(looks).scale < 1


def _best(looks: Sequence[Look]) -> Look:
    """Return the finest look that explains nearly as much as any.

    A coarse look takes heaps of objects for one and covers more with them; a too
    fine one finds nothing but specks in large objects.
    """
    possible = [look for look in looks if not _is_refuted(look, looks)]
    most = max(look.evidence for look in possible)
    enough = [look for look in possible if look.evidence >= _ENOUGH * most]
    return max(enough, key=lambda look: look.scale)


def _is_refuted(look: Look, looks: Sequence[Look]) -> bool:
    """Say whether a finer look finds far more that is surely there.

    Cells cover more of a smear than their nuclei, and reduced they look like nuclei,
    though less surely so.  The magnifier shows too small a part to compare with.
    """
    return any(
        look.scale < other.scale <= 1
        and other.sure >= _MANY
        and other.sure / other.area > _DENSER * look.sure / look.area
        for other in looks
    )


def choose_scale(diameter: float | None, info: CheckpointInfo) -> float:
    """Return the scale at which objects of ``diameter`` pixels are segmented.

    Objects of ``info.unscaled_range`` leave the image as it is.  Smaller ones come to
    ``info.magnified_diameter`` or the typical size; larger ones to the middle between
    the typical and the largest, so that their outlines lose less.
    """
    low, high = info.unscaled_range
    if diameter is None or low <= diameter <= high:
        return 1.0
    if diameter < low:
        return (info.magnified_diameter or info.diameter) / diameter
    middle = float(np.sqrt(info.diameter * info.diameter_range[1]))
    return min(1.0, middle / diameter)


def busiest_window(plane: Plane, side: int) -> tuple[slice, slice]:
    """Return rows and columns of the window that varies most.

    Parameters
    ----------
    plane
        Its thumbnail is looked at.
    side
        Of the window, pixels; cut to the plane.
    """
    height, width = plane.shape
    windows = [
        (slice(y, min(y + side, height)), slice(x, min(x + side, width)))
        for y in _starts(height, side)
        for x in _starts(width, side)
    ]
    thumbnail = plane.thumbnail
    # Every fourth pixel tells enough of a large window.
    skip = max(1, 4 // thumbnail.step) if side > SAMPLE // 4 else 1
    thin, step = thumbnail.pixels[::skip, ::skip, 0], thumbnail.step * skip
    return max(
        windows,
        key=lambda window: float(
            thin[
                tuple(slice(s.start // step, -(-s.stop // step)) for s in window)
            ].std()
        ),
    )


def _starts(size: int, side: int) -> list[int]:
    """Return the starts of windows that overlap by half, the last at the end."""
    return [*range(0, max(size - side, 0), max(side // 2, 1)), max(size - side, 0)]
