"""Image after image through one model; the module that loads torch."""

from __future__ import annotations

import logging
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import napari_pffnet
from napari_pffnet.cli import console
from napari_pffnet.cli.outputs import write_json, written_whole
from napari_pffnet.cli.writers import WRITERS, ImageRecord, Segmented
from napari_pffnet.data.readers import read_image
from napari_pffnet.files import hash_file
from napari_pffnet.segmentation import segment_iter
from napari_pffnet.segmentation.prepare import prepare
from napari_pffnet.weights import Model, load_model

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence
    from pathlib import Path

    from tqdm import tqdm

    from napari_pffnet.cli.jobs import Job
    from napari_pffnet.config import SegmentConfig
    from napari_pffnet.segmentation import SegmentationResult, TileDone

logger = logging.getLogger("napari_pffnet")


def use_threads(count: int) -> None:
    """Let torch use so many CPU threads; 0 leaves the choice to torch."""
    import torch

    if count < 0:
        raise ValueError(f"--threads {count}: it should be 0 or more.")
    if count:
        torch.set_num_threads(count)


@dataclass(slots=True)
class Batch:
    """A model, the options, and what became of the images so far.

    Attributes
    ----------
    failures
        Why an image failed, by its path.
    notes
        What the user should know, and how many images it concerns.
    records
        How each result came about, by the image's stem; of earlier runs too.
    """

    model: Model
    model_sha256: str
    config: SegmentConfig
    records: dict[str, Any]
    failures: dict[str, str] = field(default_factory=dict)
    notes: dict[str, int] = field(default_factory=dict)

    @classmethod
    def start(
        cls, path: Path, device: str, config: SegmentConfig, records: Mapping[str, Any]
    ) -> Batch:
        """Load the model of a checkpoint."""
        loaded = load_model(path, device=device)
        return cls(loaded, hash_file(path), config, {**records})

    def run(self, jobs: Sequence[Job], *, quiet: bool) -> None:
        """Segment all images and write the results; note those that fail."""
        with console.progress(len(jobs), "Segmenting", quiet=quiet) as bar:
            for number, job in enumerate(jobs):
                try:
                    self._run_one(job, bar, number)
                # Whatever is wrong with one image, the others are worth doing.
                except Exception as error:
                    logger.debug("%s failed.", job.image, exc_info=True)
                    self.failures[str(job.image)] = console.sentence(error)
                _advance(bar, number + 1)
        if not quiet:
            for note, count in self.notes.items():
                console.warn(note if count == 1 else f"{note} ({count} images)")

    def write_records(self, path: Path) -> None:
        """Write how all results in this folder came about."""
        if self.records:
            images = [self.records[stem] for stem in sorted(self.records)]
            write_json(path, {"images": images})

    def _run_one(self, job: Job, bar: tqdm[Any], number: int) -> None:
        """Segment one image and write its files."""
        started = time.perf_counter()
        file = read_image(job.image)
        config = self.config.model_copy(update={"axes": self.config.axes or file.axes})
        steps = segment_iter(
            file.array,
            self.model,
            config,
            channel_names=file.channel_names,
            pixel_size_um=file.pixel_size_um,
        )
        result = _follow(steps, bar, number)
        record = self._record(job, result, time.perf_counter() - started)
        pixels = prepare(file.array, self.model.info, config, file.channel_names).pixels
        _write(job, Segmented(job.image, pixels, file.pixel_size_um, result, record))
        self.records[job.image.stem] = record.model_dump(mode="json")
        for note in result.notes:
            self.notes[note] = self.notes.get(note, 0) + 1
        if not bar.disable:
            bar.write(_line(job, record), file=sys.stdout)

    def _record(
        self, job: Job, result: SegmentationResult, seconds: float
    ) -> ImageRecord:
        """Describe how the result of an image came about."""
        return ImageRecord(
            image=str(job.image),
            image_sha256=hash_file(job.image),
            model_sha256=self.model_sha256,
            program=f"napari-pffnet {napari_pffnet.__version__}",
            objects=len(result.objects),
            seconds=round(seconds, 3),
            notes=result.notes,
            files=tuple(path.name for path in job.paths),
            segmentation=result.record,
        )


def _follow(
    steps: Generator[TileDone, None, SegmentationResult], bar: tqdm[Any], number: int
) -> SegmentationResult:
    """Run a segmentation to its end and show how far it is."""
    while True:
        try:
            tile = next(steps)
        except StopIteration as stop:
            result: SegmentationResult = stop.value
            return result
        _advance(bar, number + tile.done / tile.total)


def _advance(bar: tqdm[Any], position: float) -> None:
    """Move the bar to a number of images; never backwards."""
    bar.update(max(0.0, position - bar.n))


def _write(job: Job, done: Segmented) -> None:
    """Write all files of an image, or none."""
    with written_whole(job.paths) as temporary:
        for suffix, path in zip(job.suffixes, temporary, strict=True):
            WRITERS[suffix](done, path)


def _line(job: Job, record: ImageRecord) -> str:
    """Return what the user reads of an image that is done."""
    ends = ", ".join(job.suffixes[1:])
    return f"{job.image.name}: {record.objects} objects -> {job.paths[0]}, {ends}"
