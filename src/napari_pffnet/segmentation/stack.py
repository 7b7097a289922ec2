"""Stacks, films and large images, of which only parts are read at a time."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Self, cast

import numpy as np

from napari_pffnet.config import Region
from napari_pffnet.data.axes import as_pixels, name_axes
from napari_pffnet.data.normalize import limits_of_sample, sample_slices
from napari_pffnet.data.tiling import STRIDE
from napari_pffnet.segmentation.prepare import choose

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

    from napari_pffnet.config import CheckpointInfo, SegmentConfig
    from napari_pffnet.data.normalize import IntensityLimits


class Sliceable(Protocol):
    """An array in memory or elsewhere: numpy, dask, zarr, xarray."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        ...

    def __getitem__(self, index: tuple[int | slice, ...], /) -> Any:
        """Return a part of it, which `numpy.asarray` reads."""
        ...


def as_sliceable(image: ArrayLike | Sliceable) -> Sliceable:
    """Return what can be read part by part as it is, all else as an array.

    A dask array of chunks whose sizes are not known until they are computed is all
    else, too.
    """
    shape = getattr(image, "shape", None)
    if shape is None or not hasattr(image, "__getitem__") or np.isnan(shape).any():
        return np.asarray(image)
    return cast("Sliceable", image)


@dataclass(frozen=True, slots=True)
class Stack:
    """An image whose axes are known.

    Attributes
    ----------
    image
        As given.
    axes
        A letter for each axis.
    """

    image: Sliceable
    axes: str

    @classmethod
    def of(cls, image: ArrayLike | Sliceable, axes: str | None) -> Self:
        """Name the axes of an image, which is not read.

        Raises
        ------
        ValueError
            If they are unclear, the image has no pixels, or is the path of one.
        """
        if isinstance(image, str | os.PathLike):
            raise ValueError(
                f"{os.fspath(image)!r} is a path and no image; read the file into an "
                "array first, or give it to segment_files."
            )
        array = as_sliceable(image)
        return cls(array, name_axes(tuple(array.shape), axes))

    @property
    def leading_axes(self) -> str:
        """T and Z, as the image has them."""
        return "".join(axis for axis in self.axes if axis in "TZ")

    @property
    def plane_axes(self) -> str:
        """The axes of a plane."""
        return "".join(axis for axis in self.axes if axis not in "TZ")

    @property
    def leading(self) -> tuple[int, ...]:
        """Lengths of the leading axes."""
        return tuple(self._size(axis) for axis in self.leading_axes)

    @property
    def shape_yx(self) -> tuple[int, int]:
        """Rows and columns of a plane."""
        return self._size("Y"), self._size("X")

    @property
    def planes(self) -> int:
        """How many planes there are."""
        return math.prod(self.leading)

    def read_plane(
        self, number: int, part: Region, *, step: int = 1
    ) -> NDArray[np.generic]:
        """Read a part of the plane with this number, in C order of leading axes.

        Of rows and columns every ``step``-th.
        """
        place = np.unravel_index(number, self.leading) if self.leading else ()
        index: dict[str, int | slice] = {
            axis: int(i) for axis, i in zip(self.leading_axes, place, strict=True)
        }
        index |= {
            "Y": slice(part.y0, part.y1, step),
            "X": slice(part.x0, part.x1, step),
        }
        return self._read(index)

    def limits(
        self,
        info: CheckpointInfo,
        config: SegmentConfig,
        channel_names: tuple[str, ...],
    ) -> IntensityLimits:
        """Find the intensities that become 0 and 1, from a sample of all planes.

        ``config.axes`` are those of a plane.
        """
        axes = self.leading_axes + "YX"
        sample, neighbours = (
            self._read(dict(zip(axes, part, strict=True)))
            for part in sample_slices((*self.leading, *self.shape_yx))
        )
        chosen = choose(self._in_one_plane(sample), info, config, channel_names)
        # An image of one column has no neighbours, and so nothing to choose from.
        others = (
            choose(self._in_one_plane(neighbours), info, config, channel_names).pixels
            if neighbours.size
            else chosen.pixels[:, :0]
        )
        return limits_of_sample(
            chosen.pixels, others, info.normalization, rgb=chosen.rgb
        )

    def clip(self, region: Region | None) -> Region:
        """Return the part of a region that lies in the image; None: all of it.

        Raises
        ------
        ValueError
            If nothing of it does.
        """
        height, width = self.shape_yx
        if region is None:
            return Region(y0=0, x0=0, y1=height, x1=width)
        part = Region(
            y0=max(region.y0, 0),
            x0=max(region.x0, 0),
            y1=min(region.y1, height),
            x1=min(region.x1, width),
        )
        if part.y0 >= part.y1 or part.x0 >= part.x1:
            raise ValueError(
                f"The region {region} holds no pixel of an image of {height} x {width} "
                "pixels; choose one that does."
            )
        return part

    def around(self, region: Region, margin: int) -> Region:
        """Return a region and its surroundings, at multiples of the stride."""
        return self.clip(
            Region(
                y0=(region.y0 - margin) // STRIDE * STRIDE,
                x0=(region.x0 - margin) // STRIDE * STRIDE,
                y1=region.y1 + margin,
                x1=region.x1 + margin,
            )
        )

    def _size(self, axis: str) -> int:
        return int(self.image.shape[self.axes.index(axis)])

    def _read(self, index: Mapping[str, int | slice]) -> NDArray[np.generic]:
        """Read a part, given for some of the axes."""
        parts = tuple(index.get(axis, slice(None)) for axis in self.axes)
        return as_pixels(self.image[parts])

    def _in_one_plane(self, array: NDArray[np.generic]) -> NDArray[np.generic]:
        """Set the planes of an array below each other."""
        order = self.plane_axes.replace("Y", self.leading_axes + "Y")
        below = array.transpose([self.axes.index(axis) for axis in order])
        y = order.index("Y")
        start = y - len(self.leading_axes)
        shape = below.shape
        return below.reshape(*shape[:start], -1, *shape[y + 1 :])
