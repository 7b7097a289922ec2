"""Many images through the workers of a cluster; large ones tile by tile."""

from __future__ import annotations

import logging
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from napari_pffnet.data.lazy import open_image
from napari_pffnet.files import hash_file
from napari_pffnet.folders.cluster import ClusterError, WorkersDiedError, connected
from napari_pffnet.folders.cluster_worker import (
    FileArray,
    IsLarge,
    ModelSource,
    NotDone,
    TileGroup,
    WasThere,
    do_image,
    find_group,
    prepare,
)
from napari_pffnet.folders.image_task import ImageTask
from napari_pffnet.folders.outputs import CannotWriteError, finish_killed
from napari_pffnet.folders.steps import ImageStarted, Place, Waiting, parts_of
from napari_pffnet.folders.tally import tally
from napari_pffnet.messages import explain
from napari_pffnet.segmentation.view import LazyPlane, Scaled

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from os import PathLike

    from napari_pffnet.config import ClusterConfig, Precision
    from napari_pffnet.folders.cluster import Cluster, Ended
    from napari_pffnet.folders.cluster_worker import Outcome
    from napari_pffnet.folders.plan import Plan
    from napari_pffnet.folders.results import Asked
    from napari_pffnet.folders.steps import FilesResult, Step
    from napari_pffnet.folders.tally import Tally
    from napari_pffnet.segmentation import objects
    from napari_pffnet.segmentation.tiles import TileFound
    from napari_pffnet.weights import Model

logger = logging.getLogger("napari_pffnet")

_GROUP = 4
"""Tiles a task, as many as a GPU gets at once."""


def segment_files_on_cluster_iter(
    plan: Plan,
    checkpoint: str | PathLike[str],
    cluster: ClusterConfig,
    *,
    device: str = "auto",
    threads: int = 0,
) -> Generator[Step | Waiting, None, FilesResult]:
    """Segment the images of a plan on a cluster, in steps as `segment_files_iter`.

    The results are the same; the images end in any order.  All machines see the
    images, the checkpoint and the folder of the results under the same paths.

    Parameters
    ----------
    plan
        As `plan_files` returns it.
    checkpoint
        File of the model.
    cluster
        Which cluster.
    device
        Where the networks of the workers run, as `load_model` takes it.
    threads
        CPU threads of each worker; 0: the cores are shared evenly by workers that
        are started here, others decide by themselves.

    Raises
    ------
    ImportError
        If dask is not installed.
    ValueError
        If the cluster cannot begin.
    ClusterError
        If it is lost.
    CannotWriteError
        If the folder takes no more files.
    """
    path = Path(checkpoint).absolute()
    with connected(cluster) as workers:
        threads = threads or _share_of_cores(cluster.workers)
        source = ModelSource(path, hash_file(path), device, threads)
        workers.check_workers(prepare, source)
        if cluster.scheduler:
            plan = _absolute(plan)
        with tally(plan) as counted:
            yield from _Run(plan, source, workers, counted).steps()
            # What workers left that died while they wrote.
            finish_killed(plan.out)
    return counted.result()


@dataclass
class _Run:
    """A run, and how many of its images are behind us."""

    plan: Plan
    source: ModelSource
    cluster: Cluster
    counted: Tally
    finished: int = 0

    def steps(self) -> Generator[Step | Waiting, None, None]:
        """Work on all images at once; those that fail are noted."""
        tasks = ImageTask.all_of(self.plan, self.source.sha256)
        suspects = yield from self._pass(tasks)
        # One of them killed the workers, others waited there: alone it shows.
        for task in suspects:
            yield from self._pass([task], is_last=True)

    def _pass(
        self, tasks: Sequence[ImageTask], *, is_last: bool = False
    ) -> Generator[Step | Waiting, None, list[ImageTask]]:
        """Do tasks; return those of which workers died, unless this is the end."""
        suspects = []
        with closing(self.cluster.run(do_image, tasks, self.source)) as ended:
            for one in ended:
                if one is None:
                    yield Waiting(self.finished)
                elif isinstance(one.error, WorkersDiedError) and not is_last:
                    suspects.append(one.item)
                else:
                    yield from self._image_steps(one)
                    self.finished += 1
                self.counted.ledger.save_now_and_then()
        return suspects

    def _image_steps(
        self, ended: Ended[ImageTask, Outcome]
    ) -> Generator[Step, None, None]:
        place = Place(self.finished, len(self.plan.jobs), ended.item.job)
        try:
            yield from self._outcome_steps(place, ended.item, ended.result())
        except (CannotWriteError, ClusterError):
            raise
        except WorkersDiedError as error:
            yield self.counted.note_failed(place, str(error))
        # Whatever is wrong with one image, the others are worth doing.
        except Exception as error:
            logger.debug("%s failed.", place.job.image, exc_info=True)
            yield self.counted.note_failed(place, explain(error).sentence)

    def _outcome_steps(
        self, place: Place, task: ImageTask, outcome: Outcome
    ) -> Generator[Step, None, None]:
        if isinstance(outcome, IsLarge):
            yield from self._large_steps(place, task, outcome.asked)
        elif isinstance(outcome, NotDone):
            yield self.counted.note_failed(place, outcome.sentence)
        elif isinstance(outcome, WasThere):
            yield self.counted.note_skipped(place, outcome.record)
        else:
            yield self.counted.note_done(place, outcome.record)

    # --------------------------------------------------------------- large images

    def _large_steps(
        self, place: Place, task: ImageTask, asked: Asked
    ) -> Generator[Step, None, None]:
        """Plan a large image here, and write its files; its tiles travel."""
        yield ImageStarted(place)
        file = open_image(task.job.image)
        array = FileArray(task.job.image, asked.image_sha256, file.array.shape)
        file = replace(file, array=array)
        wrap = share_tiles(self.cluster, self.source, task.config.precision)
        steps = task.segment_iter(file, asked, self._model, wrap)
        record = yield from parts_of(place, steps)
        yield self.counted.note_done(place, record)

    @cached_property
    def _model(self) -> Model:
        """The model in this process, which may lack the device of the workers."""
        device = "cpu" if self.source.device == "cpu" else "auto"
        return replace(self.source, device=device).load()


def share_tiles(
    cluster: Cluster, source: ModelSource, precision: Precision
) -> objects.FinderWrap:
    """Return what has tiles found on the workers of a cluster, a few a task."""

    def find(
        plan: objects.Plan, numbers: Sequence[int]
    ) -> Iterator[tuple[int, TileFound]]:
        groups = list(_groups(plan, numbers, precision))
        with closing(cluster.run(find_group, groups, source)) as ended:
            for one in ended:
                if one is not None:
                    yield from zip(one.item.numbers, one.result(), strict=True)

    return lambda here: find


def _groups(
    plan: objects.Plan, numbers: Sequence[int], precision: Precision
) -> Iterator[TileGroup]:
    """Share out the tiles of a plan with these numbers."""
    plane = plan.scaled.plane
    if isinstance(plane, LazyPlane):
        # A copy lacks the thumbnail, which no worker needs.
        plane = replace(plane)
    for start in range(0, len(numbers), _GROUP):
        chosen = tuple(numbers[start : start + _GROUP])
        yield TileGroup(
            chosen,
            tuple(plan.tiles[number] for number in chosen),
            Scaled(plane, plan.scaled.scale),
            plan.slack,
            plan.skip_background and len(plan.tiles) > 1,
            plan.norms,
            precision,
        )


def _share_of_cores(workers: int) -> int:
    """Return how many threads each of the workers on this machine gets."""
    from dask.system import CPU_COUNT

    return max(1, CPU_COUNT // workers) if workers else 0


def _absolute(plan: Plan) -> Plan:
    """Return a plan that means the same files wherever a worker runs."""
    out = plan.out.absolute()
    jobs = (replace(job, image=job.image.absolute(), folder=out) for job in plan.jobs)
    return replace(plan, jobs=tuple(jobs), out=out)
