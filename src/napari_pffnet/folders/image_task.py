"""What is to be done for one image, in this process or in another one."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

from napari_pffnet.data.lazy import open_image
from napari_pffnet.files import hash_path
from napari_pffnet.folders.image import is_large, segment_file_iter, stack_axes
from napari_pffnet.folders.kept_tiles import KeptTiles
from napari_pffnet.folders.large import scratch_folder, segment_large_file_iter
from napari_pffnet.folders.results import Asked, is_done, write_results
from napari_pffnet.folders.writers import writable

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from napari_pffnet.config import SegmentConfig
    from napari_pffnet.data.readers import ImageFile
    from napari_pffnet.folders.image import Segmented
    from napari_pffnet.folders.jobs import Job
    from napari_pffnet.folders.large import LargeSegmented
    from napari_pffnet.folders.plan import Plan
    from napari_pffnet.folders.record import ImageRecord
    from napari_pffnet.segmentation.objects import FinderWrap
    from napari_pffnet.weights import Model


@dataclass(frozen=True, slots=True)
class Loaded:
    """What there is of an image: itself, or the record of its results."""

    content: ImageFile | ImageRecord
    asked: Asked


@dataclass(frozen=True, slots=True)
class ImageTask:
    """One image of a run.

    Attributes
    ----------
    job
        The image and its files.
    config, model_sha256
        How it is segmented.
    earlier
        Its record of an earlier run.
    resume
        Whether the results of an earlier run may stay.
    link
        Axis along which outlines are linked, if at all.
    """

    job: Job
    config: SegmentConfig
    model_sha256: str
    earlier: ImageRecord | None
    resume: bool
    link: str | None

    @classmethod
    def all_of(cls, plan: Plan, model_sha256: str) -> list[ImageTask]:
        """Return the tasks of a plan."""
        output = plan.output
        return [
            cls(
                job,
                plan.config,
                model_sha256,
                plan.earlier(job),
                output.resume,
                output.link,
            )
            for job in plan.jobs
        ]

    def load(self) -> Loaded:
        """Open the image unless its results are there."""
        job = self.job
        _check_name(job.image)
        asked = Asked(hash_path(job.image), self.model_sha256, self.config, self.link)
        if self.resume and self.earlier and is_done(job, asked, self.earlier):
            # A run that was killed after its last file has not come to this.
            self._kept(asked).remove()
            return Loaded(self.earlier, asked)
        return Loaded(open_image(job.image), asked)

    def segment_iter(
        self,
        file: ImageFile,
        asked: Asked,
        model: Model,
        wrap: FinderWrap | None = None,
    ) -> Generator[float, None, ImageRecord]:
        """Segment the image and write its files; yields how much is done, 0 to 1.

        Parameters
        ----------
        file, asked
            As `load` returns them.
        model
            What segments it.
        wrap
            Runs the tiles of a large image elsewhere than here.
        """
        started = perf_counter()
        # A format that cannot hold the image is refused before it is segmented.
        writable(self.job.endings, stack_axes(file, self.config), self.job.image.name)
        if is_large(file, self.config):
            return (yield from self._large_iter(file, asked, model, wrap, started))
        found = yield from segment_file_iter(file, model, self.config, self.link)
        return self._write(found, asked, started)

    def _large_iter(
        self,
        file: ImageFile,
        asked: Asked,
        model: Model,
        wrap: FinderWrap | None,
        started: float,
    ) -> Generator[float, None, ImageRecord]:
        """Segment an image that is never whole in memory."""
        kept = self._kept(asked)
        if not self.resume:
            kept.remove()
        with scratch_folder(self.job.folder) as scratch:
            found = yield from segment_large_file_iter(
                file, model, self.config, scratch=scratch, kept=kept, wrap=wrap
            )
            record = self._write(found, asked, started)
        kept.remove()
        return record

    def _kept(self, asked: Asked) -> KeptTiles:
        folder = self.job.folder / f".tiles-{self.job.image.stem}"
        return KeptTiles(folder, repr(asked))

    def _write(
        self, found: Segmented | LargeSegmented, asked: Asked, started: float
    ) -> ImageRecord:
        seconds = perf_counter() - started
        return write_results(self.job, found, asked, self.earlier, seconds=seconds)


def _check_name(image: Path) -> None:
    """Refuse a path that no record can tell of: Linux takes any bytes for a name."""
    try:
        str(image).encode()
    except UnicodeEncodeError as error:
        raise ValueError("Its path is no text in UTF-8; rename it.") from error
