"""What a run over many images is going to do, decided before anything is computed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_pffnet.config import OutputConfig, SegmentConfig
from napari_pffnet.files import check_free
from napari_pffnet.folders.jobs import Job, choose_endings
from napari_pffnet.folders.outputs import check_stems, finish_killed
from napari_pffnet.folders.record import read_records
from napari_pffnet.folders.summary import check_ours

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from os import PathLike

    from napari_pffnet.folders.record import ImageRecord


@dataclass(frozen=True, slots=True)
class Plan:
    """A run over many images.

    Attributes
    ----------
    jobs
        The images and their files.
    out
        Folder of the results; perhaps it is not there yet.
    output, config
        The options.
    records
        Of the images whose results lie in the folder, by stem.
    """

    jobs: tuple[Job, ...]
    out: Path
    output: OutputConfig
    config: SegmentConfig
    records: Mapping[str, ImageRecord]

    def earlier(self, job: Job) -> ImageRecord | None:
        """Return the record of an image from an earlier run."""
        return self.records.get(job.image.stem)


def plan_files(
    images: Sequence[Path],
    out: str | PathLike[str],
    config: SegmentConfig | None = None,
    output: OutputConfig | None = None,
) -> Plan:
    """Decide which files become of images, and see to it that they may be written.

    Parameters
    ----------
    images
        As `find_images` returns them.
    out
        Folder for the results; made when the first one is written.
    config, output
        The options.

    Raises
    ------
    ValueError
        If files exist that must not be replaced.
    CannotWriteError
        If what a killed run has left there cannot be tidied up.
    """
    out, output = Path(out), output or OutputConfig()
    endings = choose_endings(output)
    check_stems(images)
    jobs = tuple(Job(image, out, endings) for image in images)
    _check_inputs(jobs)
    if output.resume:
        finish_killed(out)
    records = read_records(out)
    if not output.overwrite:
        check_ours(out)
        _check_files(jobs, records, resume=output.resume)
    return Plan(jobs, out, output, config or SegmentConfig(), records)


def _check_inputs(jobs: Sequence[Job]) -> None:
    """Refuse to replace an image by the result of another, whatever is allowed."""
    # Not `Path.resolve`, which ends at links in a circle.
    results = {os.path.realpath(path) for job in jobs for path in job.paths}
    for job in jobs:
        if os.path.realpath(job.image) in results:
            raise ValueError(
                f"{job.image} would be replaced by a result of another image; choose "
                "another folder for the results."
            )


def _check_files(
    jobs: Sequence[Job], records: Mapping[str, ImageRecord], *, resume: bool
) -> None:
    """Refuse to replace files: all that are there, or those that are not ours."""
    if not resume:
        taken = (path for job in jobs for path in job.paths)
        check_free(taken, overwrite=False, remedy="--resume to go on")
        return
    foreign = (
        path
        for job in jobs
        for path in job.paths
        if (record := records.get(job.image.stem)) is None
        or path.name not in record.files
    )
    problem = "was not written by a finished run of this program"
    check_free(foreign, overwrite=False, problem=problem)
    for job in jobs:
        record = records.get(job.image.stem)
        if record is not None and _is_of_another(record, job.image):
            problem = f"is a result of {record.image}, another image"
            check_free(job.paths, overwrite=False, problem=problem)


def _is_of_another(record: ImageRecord, image: Path) -> bool:
    """Whether a result is of an image that is still there under another path."""
    theirs = Path(record.image)
    return theirs.exists() and os.path.realpath(theirs) != os.path.realpath(image)
