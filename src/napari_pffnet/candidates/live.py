"""The live threshold: objects painted anew from the candidates while sliders move."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from napari_pffnet.candidates.planes import PlaneCandidates, Repainted


class LiveObjects:
    """Painted objects that come and go with two thresholds and keep their ids.

    A candidate keeps its id also while it is hidden; one that is shown for the
    first time gets the next free id, which is the number of rows + 1.

    Parameters
    ----------
    candidates
        Of all planes.
    labels
        As ``candidates.paint()`` returned them; perhaps edited since.  `repaint`
        and `apply` change this array in place, so give the layer's own.
    table
        That came with them; rows may have been added and columns too.

    Raises
    ------
    ValueError
        If labels or table are not of these candidates.
    """

    def __init__(
        self,
        candidates: PlaneCandidates,
        labels: NDArray[np.int32],
        table: pd.DataFrame,
    ) -> None:
        self.candidates = candidates
        self.labels = labels
        self.table = table

    def protect(self, ids: Iterable[int], table: pd.DataFrame | None = None) -> None:
        """Keep these objects, and no others, as they are in the labels.

        They never vanish, and what else is painted is painted around them; one
        that has no pixels (rejected, deleted) stays away, and so do candidates
        that it covers.

        Parameters
        ----------
        ids
            All objects with a verdict or an edit; also new ones that are no
            candidates.
        table
            As it is now, row i is label i + 1, where it was changed: more rows,
            other values, more columns (verdict).  `repaint` keeps these.
        """
        raise NotImplementedError

    def repaint(self, score: float, quality: float = 0.0) -> Repainted:
        """Paint what reaches both thresholds; overlaps are resolved anew.

        Returns
        -------
        Repainted
            The labels that were given, changed in place, and a new table: rows of
            objects that are hidden have area 0.
        """
        raise NotImplementedError

    def apply(self) -> Repainted:
        """Drop the rows of hidden objects and number the others 1..N.

        In the order of `PlaneCandidates.paint`; what is no candidate comes last in
        its plane.  Rows of protected objects stay, also those without pixels.
        """
        raise NotImplementedError
