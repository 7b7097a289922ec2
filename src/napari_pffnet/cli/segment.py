"""``pffnet segment``."""

import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, get_args

from cyclopts import Parameter

from napari_pffnet.cli import console
from napari_pffnet.cli.models import fetch_model
from napari_pffnet.config import ClusterConfig, DataConfig, OutputConfig, SegmentConfig
from napari_pffnet.config.base import MOST_THREADS
from napari_pffnet.config.output import Format
from napari_pffnet.files import hash_file
from napari_pffnet.folders.inputs import find_images
from napari_pffnet.sample_data import sample_path

if TYPE_CHECKING:
    from collections.abc import Generator

    from tqdm import tqdm

    from napari_pffnet.folders import FilesResult, ImageRecord, Job, Plan, Step, Waiting

_DEFAULTS = SegmentConfig()
_NO_CLUSTER = ClusterConfig()
_GO_ON = "Go on with the same command and --resume."
_WithChannels = TypeVar("_WithChannels", SegmentConfig, DataConfig)


def segment(
    *images: str,
    out: Path,
    sample: Literal["fluorescence", "histology"] | None = None,
    model: str = "nuclei",
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto",
    config: Annotated[SegmentConfig, Parameter(name="*")] = _DEFAULTS,
    threads: int = 0,
    cluster: Annotated[ClusterConfig, Parameter(name="*")] = _NO_CLUSTER,
    formats: Annotated[str, Parameter(name="--format")] = "tiff,csv",
    overlay: Annotated[bool, Parameter(negative="--no-overlay")] = True,
    link: Literal["z", "t"] | None = None,
    resume: bool = False,
    overwrite: bool = False,
    quiet: bool = False,
) -> int:
    """Find every object of images and tell how good each outline is.

    - `pffnet segment --sample fluorescence --out results`
    - `pffnet segment cells.tif --out results --diameter 25`
    - `pffnet segment images/ --out results --format tiff,csv,geojson`
    - `pffnet segment images/ --out results --resume`

    Of each image NAME these files are written into the folder of --out:
    NAME_labels.tif (one number an object), NAME_semantic.tif (one class a pixel),
    NAME_objects.csv (class, score, quality, area ... of each object),
    NAME_overlay.png (the outlines, red where the quality is poor) and
    NAME_run.json (how the result came about).  summary.csv tells of all images in
    one row each.  An image that fails does not stop the others.

    Parameters
    ----------
    images
        Images (PNG, TIFF, JPEG, OME-Zarr), folders of images, patterns such as
        "*.tif", or text files (.txt) that name an image a line.
    out
        Folder for the results; it is made if need be.
    sample
        Segment an image that comes with the program.
    model
        Name of a model (see `pffnet models`) or path of a checkpoint.
    device
        Where the network runs.
    config
        Options of the segmentation.
    threads
        CPU threads of each process; 0: as many as torch chooses.
    cluster
        Other processes and machines, through dask.
    formats
        What to write, separated by commas: tiff, zarr (OME-Zarr with a pyramid),
        csv, parquet, geojson (QuPath), coco, rois (ImageJ); or none: only the
        picture.
    overlay
        Write the picture of the outlines too.
    link
        Give outlines that overlap in neighbouring planes (z) or time points (t) one
        number; NAME_parts.csv has a row for each of them.
    resume
        Go on with a run that was stopped: images whose results are complete are
        skipped.
    overwrite
        Replace results that exist.
    quiet
        No progress bar, and nothing but errors.
    """
    inputs = [*images, *([str(sample_path(sample))] if sample else [])]
    if not inputs:
        raise ValueError(
            "There is no image to segment; name files or a folder, "
            "or try --sample fluorescence."
        )
    output = OutputConfig(
        formats=parse_formats(formats),
        overlay=overlay,
        link=link,
        resume=resume,
        overwrite=overwrite,
    )
    paths = find_images(inputs)

    # These load torch.
    from napari_pffnet.folders import (
        CannotWriteError,
        ClusterError,
        plan_files,
        segment_files_on_cluster_iter,
    )

    try:
        plan = plan_files(paths, out, split_channels(config), output)
        checkpoint = fetch_model(model, quiet=quiet)
        _check_threads(threads)
        if cluster.is_wanted:
            steps = segment_files_on_cluster_iter(
                plan, checkpoint, cluster, device=device, threads=threads
            )
        else:
            steps = _here(plan, checkpoint, device, threads)
        return _run(steps, len(paths), quiet=quiet)
    except (CannotWriteError, ClusterError) as error:
        console.warn(f"pffnet: {error} {_GO_ON}")
        return console.FAILED


def parse_formats(text: str) -> tuple[Format, ...]:
    """Return the formats that ``--format`` asks for; of ``none`` no format.

    Raises
    ------
    ValueError
        If one is unknown.
    """
    known: tuple[Format, ...] = get_args(Format)
    if text.strip().lower() == "none":
        return ()
    names = [name.strip().lower() for name in text.split(",")]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(
            f"--format {unknown[0]!r} is unknown; "
            f"the formats are {', '.join(known)}, separated by commas, or none."
        )
    return tuple(name for name in known if name in names)


def split_channels(config: _WithChannels) -> _WithChannels:
    """Return the options with ``--channels 0,2`` taken apart."""
    words = [word for item in config.channels for word in str(item).split(",")]
    channels = tuple(int(word) if word.isdecimal() else word for word in words if word)
    return config.model_copy(update={"channels": channels})


def _check_threads(count: int) -> None:
    if not 0 <= count <= MOST_THREADS:
        raise ValueError(f"--threads {count}: it should be 0 to {MOST_THREADS}.")


def _here(
    plan: "Plan", checkpoint: Path, device: str, threads: int
) -> "Generator[Step, None, FilesResult]":
    """Return the run in this process; 0 threads leave the choice to torch."""
    import torch

    from napari_pffnet.folders import segment_files_iter
    from napari_pffnet.weights import load_model

    if threads:
        torch.set_num_threads(threads)
    model = load_model(checkpoint, device=device)
    return segment_files_iter(plan, model, hash_file(checkpoint))


def _run(
    steps: "Generator[Step | Waiting, None, FilesResult]", total: int, *, quiet: bool
) -> int:
    """Segment the images and tell of each; Ctrl-C stops between two steps."""
    try:
        with (
            closing(steps),
            console.progress(total, "Segmenting", quiet=quiet) as bar,
            console.stop_request() as stop,
        ):
            result = _follow(steps, bar, stop)
    except KeyboardInterrupt:
        console.warn(f"pffnet: stopped; what was finished before is kept. {_GO_ON}")
        return console.INTERRUPTED
    if not quiet:
        _tell(result)
    return console.report_failures(result.failures)


def _follow(
    steps: "Generator[Step | Waiting, None, FilesResult]",
    bar: "tqdm[Any]",
    stop: console.StopRequest,
) -> "FilesResult":
    """Run to the end and show how far it is."""
    from napari_pffnet.folders import ImageDone

    while True:
        stop.check()
        try:
            step = next(steps)
        except StopIteration as end:
            result: FilesResult = end.value
            return result
        # Never backwards: the pieces of an image may become more.
        if step.position > bar.n:
            bar.update(step.position - bar.n)
        if isinstance(step, ImageDone) and not bar.disable:
            bar.write(_line(step.place.job, step.record), file=sys.stdout)


def _line(job: "Job", record: "ImageRecord") -> str:
    """Return what the user reads of an image that is done."""
    labels, *others = record.files
    ends = ", ".join(name.removeprefix(job.image.stem) for name in others)
    return (
        f"{job.image.name}: {record.objects} objects -> {job.folder / labels}, {ends}"
    )


def _tell(result: "FilesResult") -> None:
    """Say what concerns the whole run."""
    for note, count in result.notes.items():
        console.warn(note if count == 1 else f"{note} ({count} images)")
    if result.skipped:
        console.warn(f"{result.skipped} were done before and are kept.")
    console.tell(f"All images in one table: {result.summary}")
