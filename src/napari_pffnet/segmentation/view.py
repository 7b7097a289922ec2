"""One plane as the network sees it, read part by part."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from napari_pffnet.config import Region
from napari_pffnet.data.normalize import MAX_SAMPLE
from napari_pffnet.data.resample import resample
from napari_pffnet.segmentation.background import is_background
from napari_pffnet.segmentation.prepare import choose, narrow_flaw, prepare

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_pffnet.config import CheckpointInfo, SegmentConfig
    from napari_pffnet.data.normalize import IntensityLimits
    from napari_pffnet.segmentation.stack import Stack


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """Every ``step``-th pixel of a plane, (y, x, C)."""

    pixels: NDArray[np.float32]
    step: int


class Readable(Protocol):
    """What the network sees: (Y, X, C) float32 in [0, 1]."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        ...

    def read(self, rows: slice, columns: slice) -> NDArray[np.float32]:
        """Return a part."""
        ...


class Plane(Readable, Protocol):
    """All of what the network sees."""

    @property
    def thumbnail(self) -> Thumbnail:
        """At most `MAX_SAMPLE` pixels of it."""
        ...


@dataclass(frozen=True, slots=True)
class HeldPlane:
    """A plane in memory."""

    pixels: NDArray[np.float32]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.pixels.shape[0], self.pixels.shape[1]

    @property
    def thumbnail(self) -> Thumbnail:
        """All of it."""
        return Thumbnail(self.pixels, 1)

    def read(self, rows: slice, columns: slice) -> NDArray[np.float32]:
        """Return a part, as a view."""
        return self.pixels[rows, columns]


@dataclass(frozen=True)
class LazyPlane:
    """A plane, or a part of one, of which no more is in memory than is looked at.

    Attributes
    ----------
    stack
        Where it is read from.
    number
        Of the plane.
    region
        Its part.
    info, config, channel_names
        What the network sees of it; ``config.axes`` are those of the plane.
    limits
        Intensities that become 0 and 1.
    """

    stack: Stack
    number: int
    region: Region
    info: CheckpointInfo
    config: SegmentConfig
    channel_names: tuple[str, ...]
    limits: IntensityLimits

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return _shape_of(self.region)

    @cached_property
    def thumbnail(self) -> Thumbnail:
        """At most `MAX_SAMPLE` pixels of it, read once."""
        step = math.ceil(math.sqrt(math.prod(self.shape) / MAX_SAMPLE))
        return Thumbnail(self._read(self.region, step), step)

    def read(self, rows: slice, columns: slice) -> NDArray[np.float32]:
        """Read a part."""
        y0, x0 = self.region.y0, self.region.x0
        part = Region(
            y0=y0 + rows.start,
            x0=x0 + columns.start,
            y1=y0 + rows.stop,
            x1=x0 + columns.stop,
        )
        return self._read(part, 1)

    def _read(self, part: Region, step: int) -> NDArray[np.float32]:
        raw = self.stack.read_plane(self.number, part, step=step)
        return prepare(
            raw, self.info, self.config, self.channel_names, self.limits
        ).pixels


@dataclass(frozen=True, slots=True)
class Window:
    """A part of a plane as a plane of its own.

    Attributes
    ----------
    plane
        Of which it is a part.
    rows, columns
        Which part.
    """

    plane: Plane
    rows: slice
    columns: slice

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.rows.stop - self.rows.start, self.columns.stop - self.columns.start

    def read(self, rows: slice, columns: slice) -> NDArray[np.float32]:
        """Return a part."""
        y0, x0 = self.rows.start, self.columns.start
        return self.plane.read(
            slice(y0 + rows.start, y0 + rows.stop),
            slice(x0 + columns.start, x0 + columns.stop),
        )


@dataclass(frozen=True, slots=True)
class Scaled:
    """A plane at another size.

    Attributes
    ----------
    plane
        As given.
    scale
        Pixels of the network a pixel of the plane; 1 leaves it as it is.
    """

    plane: Readable
    scale: float

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns that the network would see of the whole."""
        if self.scale == 1:
            return self.plane.shape
        height, width = (max(1, round(n * self.scale)) for n in self.plane.shape)
        return height, width

    @property
    def factors(self) -> tuple[float, float]:
        """Pixels of the plane a pixel of the network's, along y and x."""
        y, x = (a / b for a, b in zip(self.plane.shape, self.shape, strict=True))
        return y, x

    def read(self, rows: slice, columns: slice) -> NDArray[np.float32]:
        """Return a part, in pixels of the network."""
        if self.scale == 1:
            return self.plane.read(rows, columns)
        return resample(self.plane.read, self.plane.shape, self.shape, (rows, columns))


@dataclass(frozen=True, slots=True)
class View:
    """A plane that a network can see.

    Attributes
    ----------
    plane
        Its pixels.
    notes
        What was chosen for the user.
    flaw
        Why there is nothing to segment in it, a sentence, or "".
    """

    plane: Plane
    notes: tuple[str, ...]
    flaw: str


def view_plane(
    stack: Stack,
    number: int,
    region: Region,
    info: CheckpointInfo,
    config: SegmentConfig,
    channel_names: tuple[str, ...],
    limits: IntensityLimits | None = None,
) -> View:
    """Return a part of a plane as the network sees it; large ones are not read.

    Parameters
    ----------
    stack, number, region
        Which part of which plane.
    info, config, channel_names
        What the network sees of it; ``config.axes`` are those of the plane.
    limits
        Intensities that become 0 and 1; by default those of a sample of the part
        where it is small, and of all planes where it is large.

    Raises
    ------
    ValueError
        If the image is not understood; the sentence names the remedy.
    """
    shape = _shape_of(region)
    if math.prod(shape) <= MAX_SAMPLE:
        raw = stack.read_plane(number, region)
        held = prepare(raw, info, config, channel_names, limits)
        flaw = held.flaw or _noise_flaw(held.pixels, config)
        return View(HeldPlane(held.pixels), held.notes, flaw)
    corner = Region(y0=0, x0=0, y1=1, x1=1)
    note = choose(stack.read_plane(number, corner), info, config, channel_names).note
    plane = LazyPlane(
        stack,
        number,
        region,
        info,
        config,
        channel_names,
        limits or stack.limits(info, config, channel_names),
    )
    flaw = narrow_flaw(shape) or _flat_flaw(plane)
    return View(plane, (note,) if note else (), flaw)


def _noise_flaw(pixels: NDArray[np.float32], config: SegmentConfig) -> str:
    """Say that a plane shows nothing, unless that is to be looked at, too."""
    if config.all_tiles or not is_background(pixels):
        return ""
    return (
        "The image shows an even background and its noise; nothing was segmented. "
        "If there are objects in it, search it nevertheless with --all-tiles."
    )


def _flat_flaw(plane: LazyPlane) -> str:
    """Say that a large plane is constant, as far as a sample of it tells."""
    pixels = plane.thumbnail.pixels
    if pixels.max() > pixels.min():
        return ""
    return "The image is constant or has no finite pixel; nothing was segmented."


def _shape_of(region: Region) -> tuple[int, int]:
    return region.y1 - region.y0, region.x1 - region.x0
