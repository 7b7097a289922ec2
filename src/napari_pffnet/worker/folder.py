"""Segmentation of a folder of image files."""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

from napari_pffnet.catalog import find_model
from napari_pffnet.files import hash_file
from napari_pffnet.folders import (
    ImageSkipped,
    find_images,
    plan_files,
    segment_files_iter,
)
from napari_pffnet.generators import retell
from napari_pffnet.messages import FolderDone, Progress

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_pffnet.folders import FilesResult, Step
    from napari_pffnet.messages import FolderRequest
    from napari_pffnet.worker.models import KeptModel

_PARTS = 1000
"""Of the progress."""


def run(
    request: FolderRequest, kept: KeptModel
) -> Generator[Progress | FolderDone, None, None]:
    """Segment the images, and write the results into the folder of the request."""
    yield Progress(done=0, total=_PARTS, text="looking for the images")
    images = find_images(request.inputs)
    plan = plan_files(images, request.out, request.config, request.output)
    yield Progress(done=0, total=_PARTS, text="loading the model")
    model = kept.get(request.model, request.device)
    clock = _Clock(len(images))
    steps = segment_files_iter(plan, model, hash_file(find_model(request.model)))
    yield _done((yield from retell(steps, clock.progress)))


@dataclass(slots=True)
class _Clock:
    """Tells how long the rest takes, from the images that were segmented."""

    total: int
    skipped: int = 0
    started: float | None = None

    def progress(self, step: Step) -> Progress:
        """Say where a step is in the run."""
        if isinstance(step, ImageSkipped):
            self.skipped += 1
        elif self.started is None:
            self.started = monotonic()
        number = step.place.number + 1
        text = f"image {number} of {self.total}{self._left(step.position)}"
        done = round(step.position / self.total * _PARTS)
        return Progress(done=done, total=_PARTS, text=text)

    def _left(self, position: float) -> str:
        done = position - self.skipped
        # What the first image says would jump.
        if self.started is None or done < 1:
            return ""
        seconds = (monotonic() - self.started) / done * (self.total - position)
        return f", about {_duration(seconds)} left"


def _duration(seconds: float) -> str:
    """Return a time as a person says it."""
    if seconds < 60:
        return f"{max(5, round(seconds / 5) * 5)} seconds"
    if seconds < 5400:
        minutes = round(seconds / 60)
        return f"{minutes} minute{'' if minutes == 1 else 's'}"
    return f"{seconds / 3600:.1f} hours"


def _done(result: FilesResult) -> FolderDone:
    worst = result.worst
    return FolderDone(
        images=len(result.records),
        skipped=result.skipped,
        objects=sum(record.objects for record in result.records),
        failures=result.failures,
        notes=result.notes,
        summary=str(result.summary),
        worst=worst.image if worst is not None else "",
    )
