"""The candidates of all planes of an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from napari_pffnet.config import Region
    from napari_pffnet.instances import Instances


@dataclass(frozen=True, slots=True)
class Repainted:
    """Painted objects and their table.

    Attributes
    ----------
    labels
        int32, the shape of the image without channels; 0 is background.
    table
        One row an object, row i is label i + 1.  Objects that a threshold hides
        have area 0.
    former
        (N,) int32: the label that the object of each row had before; only
        `LiveObjects.apply` changes labels.
    """

    labels: NDArray[np.int32]
    table: pd.DataFrame
    former: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class PlaneCandidates:
    """Candidates of all planes of an image; they may overlap.

    Attributes
    ----------
    planes
        In C order of the leading axes; one alone for a single plane.
    leading
        Length of the leading axes: (), (Z,), (T, Z) ...
    axes
        A letter for each of them: "", "Z", "TZ".
    classes
        Names of classes 1..C.
    covered
        Share beyond which a covered candidate is left out.
    score_threshold
        The one in use where none is given.
    pixel_size_um
        Side of a pixel in micrometres, where known.
    region
        The part of each plane that was segmented; None: all of it.
    """

    planes: tuple[Instances, ...]
    leading: tuple[int, ...]
    axes: str
    classes: tuple[str, ...]
    covered: float
    score_threshold: float
    pixel_size_um: float | None = None
    region: Region | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Leading axes, Y, X."""
        return (*self.leading, *self.planes[0].shape)

    def paint(
        self, score_threshold: float | None = None, quality_threshold: float = 0.0
    ) -> Repainted:
        """Paint all planes; ids 1..N, plane after plane, in falling confidence.

        Parameters
        ----------
        score_threshold
            Candidates of lower score are left out; by default ``score_threshold``.
        quality_threshold
            So are those of lower quality, where the quality is known.

        Returns
        -------
        Repainted
            Its table has the columns of `Instances.to_table`, and behind
            ``label`` one for each leading axis: ``t``, ``z``.
        """
        raise NotImplementedError

    def write(self, folder: Path) -> None:
        """Write ``candidates.npz`` and ``candidates.json`` into a folder."""
        raise NotImplementedError

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read what `write` wrote.

        Raises
        ------
        ValueError
            If the two files do not belong together.
        """
        raise NotImplementedError
