"""Image after image through one model."""

from __future__ import annotations

import logging
import os
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar

from napari_pffnet.config import OutputConfig, SegmentConfig
from napari_pffnet.data.lazy import open_image
from napari_pffnet.data.readers import ImageFile
from napari_pffnet.files import hash_file, hash_path
from napari_pffnet.folders.image import is_large, segment_file_iter, stack_axes
from napari_pffnet.folders.inputs import find_images
from napari_pffnet.folders.kept_tiles import KeptTiles
from napari_pffnet.folders.large import scratch_folder, segment_large_file_iter
from napari_pffnet.folders.outputs import CannotWriteError, make_folder
from napari_pffnet.folders.plan import plan_files
from napari_pffnet.folders.reading import read_ahead
from napari_pffnet.folders.results import Asked, is_done, write_results
from napari_pffnet.folders.steps import (
    FilesResult,
    ImageDone,
    ImageFailed,
    ImagePart,
    ImageSkipped,
    ImageStarted,
    Place,
)
from napari_pffnet.folders.summary import SUMMARY, Ledger
from napari_pffnet.folders.writers import writable
from napari_pffnet.messages import explain
from napari_pffnet.registry import obtain
from napari_pffnet.weights import load_model

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable
    from os import PathLike

    from napari_pffnet.config.output import Format
    from napari_pffnet.folders.image import Segmented
    from napari_pffnet.folders.jobs import Job
    from napari_pffnet.folders.large import LargeSegmented
    from napari_pffnet.folders.plan import Plan
    from napari_pffnet.folders.record import ImageRecord
    from napari_pffnet.folders.steps import Step
    from napari_pffnet.weights import Model

Found = TypeVar("Found", bound="Segmented | LargeSegmented")

logger = logging.getLogger("napari_pffnet")


def segment_files(
    images: str | PathLike[str] | Iterable[str | PathLike[str]],
    model: str | PathLike[str] = "nuclei",
    *,
    out: str | PathLike[str],
    device: str = "auto",
    formats: tuple[Format, ...] = ("tiff", "csv"),
    overlay: bool = True,
    resume: bool = False,
    overwrite: bool = False,
    **options: Any,
) -> FilesResult:
    """Segment many images and write their results into a folder.

    Parameters
    ----------
    images
        Files, folders, patterns such as ``"*.tif"``, text files with a path a line;
        one of them or several.
    model
        Name of a model, or path of a checkpoint.
    out
        Folder for the results; it is made if need be.
    device
        As `load_model` takes it.
    formats, overlay, resume, overwrite
        Those of `OutputConfig`.
    **options
        Those of `SegmentConfig`.

    Returns
    -------
    FilesResult
        Images that fail are listed in it; they do not stop the others.

    Raises
    ------
    ValueError
        If an image is not found, or files exist that must not be replaced.
    CannotWriteError
        If the folder takes no more files.
    """
    output = OutputConfig(
        formats=formats, overlay=overlay, resume=resume, overwrite=overwrite
    )
    inputs = [images] if isinstance(images, str | os.PathLike) else images
    files = find_images(os.fspath(text) for text in inputs)
    plan = plan_files(files, out, SegmentConfig(**options), output)
    path = obtain(model)
    steps = segment_files_iter(plan, load_model(path, device=device), hash_file(path))
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            result: FilesResult = stop.value
            return result


def segment_files_iter(
    plan: Plan, model: Model, model_sha256: str
) -> Generator[Step, None, FilesResult]:
    """Segment the images of a plan in steps, each of which may be the last.

    Parameters
    ----------
    plan
        As `plan_files` returns it.
    model
        As `load_model` returns it.
    model_sha256
        Hash of its file.

    Raises
    ------
    CannotWriteError
        If the folder takes no more files.
    """
    started = perf_counter()
    make_folder(plan.out)
    run = _Run(plan, model, model_sha256, Ledger(plan.out, {**plan.records}))
    try:
        yield from run.steps()
    finally:
        run.ledger.save()
    return run.result(perf_counter() - started)


@dataclass(frozen=True, slots=True)
class _Loaded:
    """What the thread found: an image, or the record of its results."""

    content: ImageFile | ImageRecord
    asked: Asked


@dataclass(slots=True)
class _Run:
    """A run, and what became of its images so far."""

    plan: Plan
    model: Model
    model_sha256: str
    ledger: Ledger
    done: list[ImageRecord] = field(default_factory=list)
    skipped: int = 0
    notes: Counter[str] = field(default_factory=Counter)
    waited: float = 0.0

    def steps(self) -> Generator[Step, None, None]:
        """Work on image after image; those that fail are noted."""
        total = len(self.plan.jobs)
        with closing(read_ahead(self.plan.jobs, self._load)) as reads:
            for number, read in enumerate(reads):
                place = Place(number, total, read.item)
                self.waited += read.waited
                try:
                    yield from self._image_steps(place, read.future.result())
                except CannotWriteError:
                    raise
                # Whatever is wrong with one image, the others are worth doing.
                except Exception as error:
                    logger.debug("%s failed.", read.item.image, exc_info=True)
                    yield self._failed(place, explain(error).sentence)
                self.ledger.save_now_and_then()

    def result(self, seconds: float) -> FilesResult:
        """Return what became of the images."""
        return FilesResult(
            records=tuple(self.done),
            skipped=self.skipped,
            failures=dict(self.ledger.failures.values()),
            notes=dict(self.notes),
            summary=self.plan.out / SUMMARY,
            seconds=seconds,
            waited=self.waited,
        )

    def _load(self, job: Job) -> _Loaded:
        """Read an image unless its results are there; in a thread."""
        sha256 = hash_path(job.image)
        asked = Asked(sha256, self.model_sha256, self.plan.config)
        earlier = self.plan.earlier(job) if self.plan.output.resume else None
        if earlier is not None and is_done(job, asked, earlier):
            return _Loaded(earlier, asked)
        return _Loaded(open_image(job.image), asked)

    def _image_steps(
        self, place: Place, loaded: _Loaded
    ) -> Generator[Step, None, None]:
        job, content = place.job, loaded.content
        if not isinstance(content, ImageFile):
            self.skipped += 1
            self.done.append(content)
            yield ImageSkipped(place, content)
            return
        yield ImageStarted(place)
        started = perf_counter()
        # A format that cannot hold the image is refused before it is segmented.
        writable(job.endings, stack_axes(content, self.plan.config), job.image.name)
        config = self.plan.config
        if is_large(content, config):
            record = yield from self._large(place, content, loaded.asked, started)
        else:
            steps = segment_file_iter(content, self.model, config)
            found = yield from _counted(place, steps)
            record = self._write(job, found, loaded.asked, started)
        self.ledger.records[job.image.stem] = record
        self.done.append(record)
        self.notes.update(record.notes)
        yield ImageDone(place, record)

    def _large(
        self, place: Place, file: ImageFile, asked: Asked, started: float
    ) -> Generator[ImagePart, None, ImageRecord]:
        """Segment an image that is never whole in memory, and write its files."""
        job = place.job
        kept = KeptTiles(job.folder / f".tiles-{job.image.stem}", repr(asked))
        if not self.plan.output.resume:
            kept.remove()
        with scratch_folder(job.folder) as scratch:
            steps = segment_large_file_iter(
                file, self.model, self.plan.config, scratch=scratch, kept=kept
            )
            found = yield from _counted(place, steps)
            record = self._write(job, found, asked, started)
        kept.remove()
        return record

    def _write(
        self,
        job: Job,
        found: Segmented | LargeSegmented,
        asked: Asked,
        started: float,
    ) -> ImageRecord:
        seconds = perf_counter() - started
        earlier = self.plan.earlier(job)
        return write_results(job, found, asked, earlier, seconds=seconds)

    def _failed(self, place: Place, sentence: str) -> ImageFailed:
        image = place.job.image
        self.ledger.failures[image.stem] = (str(image), sentence)
        return ImageFailed(place, sentence)


def _counted(
    place: Place, steps: Generator[float, None, Found]
) -> Generator[ImagePart, None, Found]:
    """Tell which image the steps belong to."""
    while True:
        try:
            yield ImagePart(place, next(steps))
        except StopIteration as stop:
            found: Found = stop.value
            return found
