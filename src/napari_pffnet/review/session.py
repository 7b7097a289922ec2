"""One review: labels, their table, and every step that was made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_pffnet.review.area import Rectangle, reviewed_area

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


class ReviewSession:
    """Verdicts on the objects of a label image, and repairs of them.

    Attributes
    ----------
    labels
        (Y, X), or (..., Y, X) for a stack; edited in place.
    table
        Row i is label i + 1, also for objects that have no pixels any more; the
        columns of a segmentation and ``verdict``: "", "accepted", "rejected",
        "fixed", or "merged" for an object that became a part of another.
    """

    def __init__(self, labels: NDArray[np.integer[Any]], table: pd.DataFrame) -> None:
        self.labels = labels
        self.table = table
        self.done: tuple[Rectangle, ...] = ()
        self.is_complete = False

    @property
    def protected(self) -> NDArray[np.int64]:
        """Labels of the objects that have a verdict or were edited, rising."""
        has_verdict = (self.table["verdict"] != "").to_numpy()
        return np.flatnonzero(has_verdict) + 1

    def reviewed_area(self, plane: tuple[int, ...] = ()) -> NDArray[np.bool_]:
        """Tell which pixels of a plane, () in a 2-D image, training may learn from."""
        return reviewed_area(
            self.labels[plane],
            self.table,
            done=[box for box in self.done if box.plane == plane],
            is_complete=self.is_complete,
        )
