"""What a run over many images says while it goes on, and at its end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_pffnet.generators import retell

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from napari_pffnet.folders.jobs import Job
    from napari_pffnet.folders.record import ImageRecord


@dataclass(frozen=True, slots=True)
class Place:
    """An image and where it stands in the run: ``number`` of ``total``, from 0."""

    number: int
    total: int
    job: Job


@dataclass(frozen=True, slots=True)
class _Step:
    """Something that has happened with an image."""

    place: Place

    @property
    def position(self) -> float:
        """How many images are behind us."""
        return self.place.number + 1.0


@dataclass(frozen=True, slots=True)
class ImageStarted(_Step):
    """An image was read, and the network begins with it."""

    @property
    def position(self) -> float:
        """How many images are behind us."""
        return float(self.place.number)


@dataclass(frozen=True, slots=True)
class ImagePart(_Step):
    """One more piece of the image went through the network."""

    fraction: float

    @property
    def position(self) -> float:
        """How many images are behind us."""
        return self.place.number + self.fraction


@dataclass(frozen=True, slots=True)
class ImageDone(_Step):
    """All files of an image are written."""

    record: ImageRecord


@dataclass(frozen=True, slots=True)
class ImageSkipped(_Step):
    """The results of an image were there."""

    record: ImageRecord


@dataclass(frozen=True, slots=True)
class ImageFailed(_Step):
    """An image could not be segmented."""

    sentence: str


Step = ImageStarted | ImagePart | ImageDone | ImageSkipped | ImageFailed


@dataclass(frozen=True, slots=True)
class Waiting:
    """Nothing has happened for a moment; so many images are behind us."""

    position: float


def parts_of(
    place: Place, steps: Generator[float, None, ImageRecord]
) -> Generator[ImagePart, None, ImageRecord]:
    """Tell which image the steps belong to."""
    return retell(steps, lambda done: ImagePart(place, done))


@dataclass(frozen=True, slots=True)
class FilesResult:
    """What became of the images.

    Attributes
    ----------
    records
        Of the images that are done, those that were done before included.
    skipped
        How many were done before.
    failures
        Why an image failed, by its path.
    notes
        What the user should know, and how many images it concerns.
    summary
        The table of the images.
    seconds, waited
        All of the run, and the part of it spent waiting for files to be read.
    """

    records: tuple[ImageRecord, ...]
    skipped: int
    failures: dict[str, str]
    notes: dict[str, int]
    summary: Path
    seconds: float
    waited: float

    @property
    def worst(self) -> ImageRecord | None:
        """The image with the lowest median quality, if any object has one."""
        known = [r for r in self.records if r.median_quality is not None]
        return min(known, key=lambda r: r.median_quality or 0.0, default=None)
