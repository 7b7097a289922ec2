"""Image after image through one model."""

from __future__ import annotations

import logging
import os
from contextlib import closing
from typing import TYPE_CHECKING, Any, Literal

from napari_pffnet.config import ClusterConfig, OutputConfig, SegmentConfig
from napari_pffnet.data.readers import ImageFile
from napari_pffnet.files import hash_file
from napari_pffnet.folders.cluster_run import segment_files_on_cluster_iter
from napari_pffnet.folders.image_task import ImageTask
from napari_pffnet.folders.inputs import find_images
from napari_pffnet.folders.outputs import CannotWriteError
from napari_pffnet.folders.plan import plan_files
from napari_pffnet.folders.reading import read_ahead
from napari_pffnet.folders.steps import (
    FilesResult,
    ImageStarted,
    Place,
    Waiting,
    parts_of,
)
from napari_pffnet.folders.tally import tally
from napari_pffnet.generators import finish
from napari_pffnet.messages import explain
from napari_pffnet.registry import obtain
from napari_pffnet.weights import load_model

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable
    from os import PathLike

    from napari_pffnet.config.output import Format
    from napari_pffnet.folders.image_task import Loaded
    from napari_pffnet.folders.plan import Plan
    from napari_pffnet.folders.steps import Step
    from napari_pffnet.folders.tally import Tally
    from napari_pffnet.weights import Model

logger = logging.getLogger("napari_pffnet")


def segment_files(
    images: str | PathLike[str] | Iterable[str | PathLike[str]],
    model: str | PathLike[str] = "nuclei",
    *,
    out: str | PathLike[str],
    device: str = "auto",
    formats: tuple[Format, ...] = ("tiff", "csv"),
    overlay: bool = True,
    link: Literal["z", "t"] | None = None,
    resume: bool = False,
    overwrite: bool = False,
    scheduler: str | None = None,
    workers: int = 0,
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
    formats, overlay, link, resume, overwrite
        Those of `OutputConfig`.
    scheduler, workers
        Those of `ClusterConfig`.
    **options
        Those of `SegmentConfig`.

    Returns
    -------
    FilesResult
        Images that fail are listed in it; they do not stop the others.

    Raises
    ------
    ValueError
        If an image is not found, files exist that must not be replaced, or a cluster
        cannot begin.
    ClusterError
        If a cluster is lost.
    CannotWriteError
        If the folder takes no more files.
    """
    output = OutputConfig(
        formats=formats,
        overlay=overlay,
        link=link,
        resume=resume,
        overwrite=overwrite,
    )
    inputs = [images] if isinstance(images, str | os.PathLike) else images
    files = find_images(os.fspath(text) for text in inputs)
    plan = plan_files(files, out, SegmentConfig.of(options), output)
    path = obtain(model)
    cluster = ClusterConfig(scheduler=scheduler, workers=workers)
    steps: Generator[Step | Waiting, None, FilesResult]
    if cluster.is_wanted:
        steps = segment_files_on_cluster_iter(plan, path, cluster, device=device)
    else:
        loaded = load_model(path, device=device)
        steps = segment_files_iter(plan, loaded, hash_file(path))
    return finish(steps)


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
    with tally(plan) as counted:
        yield from _steps(ImageTask.all_of(plan, model_sha256), model, counted)
    return counted.result()


def _steps(
    tasks: list[ImageTask], model: Model, counted: Tally
) -> Generator[Step, None, None]:
    """Work on image after image; those that fail are noted."""
    with closing(read_ahead(tasks, ImageTask.load)) as reads:
        for number, read in enumerate(reads):
            place = Place(number, len(tasks), read.item.job)
            counted.waited += read.waited
            try:
                loaded = read.future.result()
                yield from _image_steps(place, read.item, loaded, model, counted)
            except CannotWriteError:
                raise
            # Whatever is wrong with one image, the others are worth doing.
            except Exception as error:
                logger.debug("%s failed.", place.job.image, exc_info=True)
                yield counted.note_failed(place, explain(error).sentence)
            counted.ledger.save_now_and_then()


def _image_steps(
    place: Place, task: ImageTask, loaded: Loaded, model: Model, counted: Tally
) -> Generator[Step, None, None]:
    if not isinstance(loaded.content, ImageFile):
        yield counted.note_skipped(place, loaded.content)
        return
    yield ImageStarted(place)
    steps = task.segment_iter(loaded.content, loaded.asked, model)
    record = yield from parts_of(place, steps)
    yield counted.note_done(place, record)
