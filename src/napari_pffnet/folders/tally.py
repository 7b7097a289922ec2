"""What became of the images of a run so far."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING

from napari_pffnet.folders.outputs import make_folder
from napari_pffnet.folders.steps import (
    FilesResult,
    ImageDone,
    ImageFailed,
    ImageSkipped,
)
from napari_pffnet.folders.summary import SUMMARY, Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_pffnet.folders.plan import Plan
    from napari_pffnet.folders.record import ImageRecord
    from napari_pffnet.folders.steps import Place


@dataclass(slots=True)
class Tally:
    """Counts the images and keeps the tables of the folder."""

    plan: Plan
    ledger: Ledger
    done: dict[str, ImageRecord] = field(default_factory=dict)
    skipped: int = 0
    notes: Counter[str] = field(default_factory=Counter)
    waited: float = 0.0
    started: float = field(default_factory=perf_counter)

    def note_done(self, place: Place, record: ImageRecord) -> ImageDone:
        """Note that all files of an image are written."""
        stem = place.job.image.stem
        self.ledger.records[stem] = self.done[stem] = record
        self.notes.update(record.notes)
        return ImageDone(place, record)

    def note_skipped(self, place: Place, record: ImageRecord) -> ImageSkipped:
        """Note that the results of an image were there."""
        self.skipped += 1
        self.done[place.job.image.stem] = record
        return ImageSkipped(place, record)

    def note_failed(self, place: Place, sentence: str) -> ImageFailed:
        """Note why an image could not be segmented."""
        image = place.job.image
        # Bytes of a name that are no text cannot be written into a table.
        name = str(image).encode(errors="backslashreplace").decode()
        self.ledger.failures[image.stem] = (name, sentence)
        return ImageFailed(place, sentence)

    def result(self) -> FilesResult:
        """Return what became of the images, in the order of the plan."""
        stems = [job.image.stem for job in self.plan.jobs]
        return FilesResult(
            records=tuple(self.done[stem] for stem in stems if stem in self.done),
            skipped=self.skipped,
            failures=dict(self.ledger.failures.values()),
            notes=dict(self.notes),
            summary=self.plan.out / SUMMARY,
            seconds=perf_counter() - self.started,
            waited=self.waited,
        )


@contextmanager
def tally(plan: Plan) -> Iterator[Tally]:
    """Count within the block; the tables are written at its end, however it ends.

    Raises
    ------
    CannotWriteError
        If the folder takes no files.
    """
    make_folder(plan.out)
    counted = Tally(plan, Ledger(plan.out, {**plan.records}))
    try:
        yield counted
    finally:
        counted.ledger.save()
