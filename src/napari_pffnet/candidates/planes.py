"""The candidates of all planes of an image."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd

from napari_pffnet.candidates.extents import Extents, extents_of
from napari_pffnet.candidates.stored import Facts, read_planes, write_planes
from napari_pffnet.instances import measured_columns, object_columns

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

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
        In C order of the leading axes, all of one shape; one alone for a single
        plane.
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

    Raises
    ------
    ValueError
        If the planes do not fit the leading axes.
    """

    planes: tuple[Instances, ...]
    leading: tuple[int, ...]
    axes: str
    classes: tuple[str, ...]
    covered: float
    score_threshold: float
    pixel_size_um: float | None = None
    region: Region | None = None

    def __post_init__(self) -> None:
        shapes = {plane.shape for plane in self.planes}
        fits = len(self.planes) == math.prod(self.leading) and len(shapes) == 1
        if not fits or len(self.axes) != len(self.leading):
            raise ValueError(
                f"{len(self.planes)} planes of shapes {sorted(shapes)} do not make up "
                f"axes {self.axes!r} of {self.leading}; give one of each, of one shape."
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """Leading axes, Y, X."""
        return (*self.leading, *self.planes[0].shape)

    # ------------------------------------------------------------- painted

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
        score = self.score_threshold if score_threshold is None else score_threshold
        labels, count = np.zeros(self.shape, np.int32), 0
        found: list[NDArray[np.int64]] = []
        measured: list[Extents] = []
        for plane, place in zip(self.planes, np.ndindex(self.leading), strict=True):
            painted = plane.paint(
                score_threshold=score,
                quality_threshold=quality_threshold,
                covered=self.covered,
            )
            np.add(painted.labels, count, out=labels[place], where=painted.labels > 0)
            count += len(painted.index)
            found.append(painted.index)
            measured.append(extents_of(painted.labels))
        table = self._table(found, measured)
        return Repainted(labels, table, table["label"].to_numpy())

    def describe(
        self, numbers: NDArray[np.int64], index: NDArray[np.int64]
    ) -> dict[str, Any]:
        """Return what is known of N candidates before they are painted.

        Parameters
        ----------
        numbers
            (N,) the plane of each.
        index
            (N,) its position among the candidates of this plane; -1: it is no
            candidate, so it gets the first class and neither score nor quality.
        """
        starts = np.cumsum([0, *map(len, self.planes)])
        flat = np.where(index < 0, -1, starts[numbers] + index)
        class_ids, scores, qualities = (
            np.append(np.concatenate([getattr(p, name) for p in self.planes]), other)
            for name, other in (
                ("class_ids", np.int32(1)),
                ("scores", np.float32("nan")),
                ("qualities", np.float32("nan")),
            )
        )
        return self.places(numbers) | object_columns(
            class_ids[flat], scores[flat], qualities[flat], classes=self.classes
        )

    def places(self, numbers: NDArray[np.int64]) -> dict[str, Any]:
        """Return one column for each leading axis: where planes ``numbers`` lie."""
        if not self.leading:
            return {}
        places = np.unravel_index(numbers, self.leading)
        return dict(zip(self.axes.lower(), places, strict=True))

    def measured(
        self, boxes: NDArray[np.int64], areas: NDArray[np.int64]
    ) -> dict[str, Any]:
        """Return the measured columns of painted objects, see `measured_columns`."""
        region = self.region
        frame = (
            (0, 0, *self.planes[0].shape)
            if region is None
            else (region.y0, region.x0, region.y1, region.x1)
        )
        return measured_columns(
            boxes, areas, frame=frame, pixel_size_um=self.pixel_size_um
        )

    def _table(
        self, found: Sequence[NDArray[np.int64]], measured: Sequence[Extents]
    ) -> pd.DataFrame:
        """Describe painted candidates, given for each plane."""
        numbers = np.repeat(np.arange(len(found)), [len(index) for index in found])
        return pd.DataFrame(
            {"label": np.arange(1, len(numbers) + 1, dtype=np.int32)}
            | self.describe(numbers, np.concatenate(found))
            | self.measured(
                np.concatenate([extents.boxes for extents in measured]),
                np.concatenate([extents.areas for extents in measured]),
            )
        )

    # --------------------------------------------------------- kept in files

    def write(self, folder: Path) -> None:
        """Write ``candidates.npz`` and ``candidates.json`` into a folder."""
        known = {name: getattr(self, name) for name in Facts.model_fields}
        write_planes(folder, self.planes, Facts(**known))

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read what `write` wrote.

        Raises
        ------
        ValueError
            If the two files do not belong together.
        """
        planes, facts = read_planes(folder)
        return cls(planes, **dict(facts))
