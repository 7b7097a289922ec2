"""Where training may learn from a review."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray

# Of the height and width of a box, on each of two sides: half its size in all.
_GROWTH = 0.25


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A half-open rectangle of one plane, pixels; ``plane`` is () in a 2-D image."""

    y0: int
    x0: int
    y1: int
    x1: int
    plane: tuple[int, ...] = ()

    @property
    def slices(self) -> tuple[slice, slice]:
        """The rows and columns of the plane that it covers."""
        return slice(self.y0, self.y1), slice(self.x0, self.x1)


@dataclass(frozen=True, slots=True)
class Marks:
    """What was said of the image beyond single objects.

    Attributes
    ----------
    done
        Rectangles in which everything is right.
    is_complete
        Whether everything in the image is right.
    no_misses
        Places that look like missed objects and are none.
    """

    done: tuple[Rectangle, ...] = ()
    is_complete: bool = False
    no_misses: tuple[Rectangle, ...] = ()


def reviewed_area(
    labels: NDArray[np.integer[Any]],
    objects: pd.DataFrame,
    *,
    done: Sequence[Rectangle] = (),
    is_complete: bool = False,
) -> NDArray[np.bool_]:
    """Tell which pixels of a plane a person vouches for.

    The whole plane where the image is complete; else the rectangles that were marked
    as done; else the boxes of the objects with a verdict, half as large again.  Around
    single objects those without a verdict are left out, and in rectangles those that
    reach out of them: nobody has said what they are.

    Inside of it the labels are the truth: rejected objects have no pixels any more,
    so they are background.  An ignore map for training is the rest of the plane.

    Parameters
    ----------
    labels
        (Y, X); 0 is background.
    objects
        Rows of the objects of this plane, with ``label``, ``verdict`` ("" for none)
        and the half-open boxes ``bbox_y0, bbox_x0, bbox_y1, bbox_x1`` in it.
    done
        Rectangles of this plane that were marked as done.
    is_complete
        Whether the whole image was marked as complete.

    Returns
    -------
    (Y, X) bool.
    """
    if is_complete:
        return np.ones(labels.shape, np.bool_)
    has_verdict = (objects["verdict"] != "").to_numpy()
    boxes: list[tuple[slice, ...]] = [rectangle.slices for rectangle in done]
    if not boxes:
        boxes = _grown(objects[has_verdict], labels.shape)
    area = np.zeros(labels.shape, np.bool_)
    for box in boxes:
        area[box] = True
    open_ids = objects.loc[~has_verdict, "label"].to_numpy()
    unknown = np.isin(labels, open_ids)
    if len(done):
        unknown &= np.isin(labels, np.unique(labels[unknown & ~area]))
    return area & ~unknown


def _grown(objects: pd.DataFrame, shape: Sequence[int]) -> list[tuple[slice, ...]]:
    """Return the boxes of objects, half as large again, inside the plane."""
    low = objects[["bbox_y0", "bbox_x0"]].to_numpy(np.float64)
    high = objects[["bbox_y1", "bbox_x1"]].to_numpy(np.float64)
    margin = _GROWTH * (high - low)
    first = np.maximum(np.floor(low - margin), 0).astype(int).tolist()
    last = np.minimum(np.ceil(high + margin), shape).astype(int).tolist()
    return [
        tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
        for start, stop in zip(first, last, strict=True)
    ]
