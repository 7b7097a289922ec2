"""The planes of a stack, a film or a part of an image, one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Generator

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from napari_pffnet.candidates import PlaneCandidates
    from napari_pffnet.config import Region, SegmentConfig
    from napari_pffnet.segmentation.result import SegmentationRecord
    from napari_pffnet.weights import Model


class Sliceable(Protocol):
    """An array in memory or elsewhere: numpy, dask, zarr, xarray."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        ...

    def __getitem__(self, index: tuple[int | slice, ...], /) -> Any:
        """Return a part of it, which `numpy.asarray` reads."""
        ...


@dataclass(frozen=True, slots=True)
class PlaneDone:
    """One more piece of a plane went through the network.

    Attributes
    ----------
    plane, planes
        The plane at work, counted from 1, and how many there are.
    done, total
        Pieces of this plane.
    """

    plane: int
    planes: int
    done: int
    total: int

    @property
    def fraction(self) -> float:
        """How much of the image is done, 0 to 1."""
        return (self.plane - 1 + self.done / self.total) / self.planes


@dataclass(frozen=True, slots=True)
class PlanesResult:
    """The objects of all planes of an image.

    Attributes
    ----------
    labels
        int32, (Y, X) behind the leading axes T, Z as the image has them; ids
        1..N over all planes.
    semantic
        uint8 class map of the same shape; 0 outside the region.
    table
        One row an object, row i is label i + 1; ``t`` and ``z`` tell the plane.
    candidates
        What was found down to the network's lowest score, overlaps kept.
    notes
        What the user should know, in sentences.
    record
        How the result came about.
    """

    labels: NDArray[np.int32]
    semantic: NDArray[np.uint8]
    table: pd.DataFrame
    candidates: PlaneCandidates
    notes: tuple[str, ...]
    record: SegmentationRecord


def segment_planes_iter(
    image: Sliceable,
    model: Model,
    config: SegmentConfig | None = None,
    *,
    axes: str,
    region: Region | None = None,
    channel_names: tuple[str, ...] = (),
    pixel_size_um: float | None = None,
) -> Generator[PlaneDone, None, PlanesResult]:
    """Segment an image plane by plane, in steps, each of which may be the last.

    Parameters
    ----------
    image
        Any axes; read slice by slice, never whole.
    model
        As `load_model` returns it.
    config
        Options; its ``axes`` are not looked at.
    axes
        A letter for each axis of the image: T, Z, Y, X, C, S.
    region
        Part of each plane to segment, by default all of it.
    channel_names
        Names of the image's channels, where known.
    pixel_size_um
        Side of a pixel in micrometres, where known.

    Raises
    ------
    ValueError
        If an option or the image is not understood; the sentence names the remedy.
    """
    raise NotImplementedError
