"""Places where objects were probably missed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from napari_pffnet.review.area import Rectangle

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

# Of the usual area of an object: less is the rim of a neighbour.
_LEAST_PART = 0.25
# What stays of foreground after its outermost pixels are taken off; rims vanish.
_RIM = 2


@dataclass(frozen=True, slots=True, eq=False)
class Miss:
    """Foreground without an object.

    Attributes
    ----------
    place
        The rectangle around it.
    mask
        Its pixels in that rectangle, bool.
    """

    place: Rectangle
    mask: NDArray[np.bool_]

    @property
    def area(self) -> int:
        """Number of pixels."""
        return int(np.count_nonzero(self.mask))


def likely_misses(
    labels: NDArray[np.integer[Any]],
    semantic: NDArray[np.integer[Any]],
    *,
    usual_area: float,
    dismissed: Iterable[Rectangle] = (),
) -> list[Miss]:
    """Find where the class map sees foreground and no object lies.

    Parameters
    ----------
    labels
        (..., Y, X) objects; 0 is background.
    semantic
        Classes of the pixels, of the same shape; 0 is background.
    usual_area
        Median area of the objects, pixels; places that are much smaller are left
        out, and so are narrow rims around objects.
    dismissed
        Places where a person has seen that there is nothing.

    Returns
    -------
    The largest first.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    if labels.shape != semantic.shape:
        raise ValueError(
            f"The class map has shape {semantic.shape} and the objects "
            f"{labels.shape}; choose the class map of the same image."
        )
    skipped = set(dismissed)
    found = [
        miss
        for plane in np.ndindex(labels.shape[:-2])
        for miss in _plane_misses((semantic[plane] > 0) & (labels[plane] == 0), plane)
        if miss.area >= _LEAST_PART * usual_area and miss.place not in skipped
    ]
    return sorted(found, key=lambda miss: -miss.area)


def _plane_misses(free: NDArray[np.bool_], plane: tuple[int, ...]) -> list[Miss]:
    """Return the pieces of free foreground, without rims."""
    core = ndimage.binary_opening(free, iterations=_RIM)
    pieces, _ = ndimage.label(core)
    found = []
    for i, box in enumerate(ndimage.find_objects(pieces), 1):
        rows, columns = box
        place = Rectangle(rows.start, columns.start, rows.stop, columns.stop, plane)
        found.append(Miss(place, pieces[box] == i))
    return found
