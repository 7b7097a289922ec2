"""One plane of a review, also as it was at one moment."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from napari_pffnet.review.area import reviewed_area
from napari_pffnet.review.table import measure_plane

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_pffnet.review.area import Marks


@dataclass(frozen=True, slots=True)
class ReviewedPlane:
    """What a review knows of one plane.

    Attributes
    ----------
    labels
        (Y, X); 0 is background.
    table
        Of the whole review: row i is label i + 1.
    columns
        Those that tell in which plane an object lies, in the order of ``plane``.
    plane
        Which one it is; () in a 2-D image.
    marks
        Of the whole review.
    """

    labels: NDArray[np.integer[Any]]
    table: pd.DataFrame
    columns: tuple[str, ...]
    plane: tuple[int, ...]
    marks: Marks

    def reviewed_area(self) -> NDArray[np.bool_]:
        """Tell which pixels training may learn from: (Y, X) bool."""
        return reviewed_area(
            self.labels,
            self._objects(),
            done=[box for box in self.marks.done if box.plane == self.plane],
            is_complete=self.marks.is_complete,
        )

    def copy(self) -> ReviewedPlane:
        """Return the same as it is now, whatever is edited later."""
        return replace(self, labels=self.labels.copy(), table=self.table.copy())

    def _objects(self) -> pd.DataFrame:
        """Return verdicts and boxes of what lies in the plane, or lay there."""
        # An object may lie in other planes than the one where it is largest.
        found = measure_plane(self.labels)
        verdicts = self.table.set_index("label")["verdict"]
        found["verdict"] = verdicts.reindex(found["label"], fill_value="").to_numpy()
        places = self.table[list(self.columns)].to_numpy()
        was_here = (places == np.array(self.plane)).all(axis=1)
        gone = self.table[was_here & (self.table["area"] == 0)]
        parts = [found, gone[found.columns]]
        objects: pd.DataFrame = pd.concat(parts, ignore_index=True)
        return objects
