"""The loop of the child process: one request after the other."""

from __future__ import annotations

import faulthandler
import gc
import json
import logging
from collections import defaultdict
from contextlib import closing, suppress
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING

from napari_pffnet.messages import (
    RESULTS,
    Answer,
    Cancel,
    DescribeDevices,
    Envelope,
    Finish,
    FolderRequest,
    SegmentRequest,
    Stopped,
    TrainRequest,
    explain,
    read_line,
)
from napari_pffnet.worker import group
from napari_pffnet.worker.control import Control
from napari_pffnet.worker.models import KeptModel
from napari_pffnet.worker.pipes import Pipes

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from napari_pffnet.messages import Body

logger = logging.getLogger("napari_pffnet")


@dataclass(frozen=True, slots=True)
class _Job:
    """A request that waits or runs."""

    envelope: Envelope
    control: Control


def main(folder: str | None = None) -> None:
    """Answer requests until the input ends.

    Parameters
    ----------
    folder
        Private folder of the window, which a window that vanishes leaves behind.
    """
    faulthandler.enable()
    group.lead_group()
    group.lower_priority()
    group.end_with_parent(folder)
    pipes = Pipes.take()
    waiting: SimpleQueue[_Job] = SimpleQueue()
    Thread(target=_listen, args=(pipes, waiting, folder), daemon=True).start()
    _load_libraries()
    kept = KeptModel()
    while True:
        _run(waiting.get(), kept, pipes)
        _free_memory()


# ------------------------------------------------------------ in a thread


def _listen(pipes: Pipes, waiting: SimpleQueue[_Job], folder: str | None) -> None:
    """Put requests in line and pass on the user's wishes; at the end, end all."""
    controls: defaultdict[int, Control] = defaultdict(Control)
    for line in pipes.requests:
        try:
            message = read_line(line)
        except ValueError as error:
            pipes.send(Answer(job=_number(line), body=explain(error)))
            continue
        if isinstance(message, Answer):
            continue
        request = message.request
        if isinstance(request, Cancel):
            controls[message.job].cancel()
        elif isinstance(request, Finish):
            controls[message.job].finish()
        else:
            controls[message.job] = Control()
            waiting.put(_Job(message, controls[message.job]))
    group.end_group(folder)


def _number(line: bytes) -> int:
    """Return the number of a job whose request is not understood; 0: not found."""
    try:
        number = json.loads(line)["job"]
    except (ValueError, TypeError, LookupError):
        return 0
    return number if isinstance(number, int) else 0


# ------------------------------------------------------------ in the main thread


def _load_libraries() -> None:
    """Load what a job needs before the first one comes."""
    # What is missing is told by the first job that needs it.
    with suppress(ImportError, OSError):
        import torch

        import napari_pffnet.segmentation  # noqa: F401 - loaded ahead

        # The window keeps a core; who has set fewer threads keeps those.
        torch.set_num_threads(min(torch.get_num_threads(), max(1, group.cores() - 1)))


def _run(job: _Job, kept: KeptModel, pipes: Pipes) -> None:
    for body in _answers(job, kept):
        pipes.send(Answer(job=job.envelope.job, body=body))


def _answers(job: _Job, kept: KeptModel) -> Iterator[Body]:
    """Run a job; whatever happens, the last answer ends it."""
    try:
        with closing(_steps(job, kept)) as steps:
            for body in steps:
                if job.control.is_cancelled:
                    break
                yield body
                if isinstance(body, RESULTS):
                    return
        if not job.control.is_cancelled:
            raise RuntimeError("the job has ended without a result")
        yield Stopped()
    except Exception as error:
        logger.exception("A job has failed.")
        yield explain(error)


def _steps(job: _Job, kept: KeptModel) -> Generator[Body, None, None]:
    # Loaded here, so that a library that is broken fails the job and not us.
    request = job.envelope.request
    if isinstance(request, DescribeDevices):
        from napari_pffnet.worker.devices import describe_devices

        yield describe_devices()
    elif isinstance(request, SegmentRequest):
        from napari_pffnet.worker import segmenting

        yield from segmenting.run(request, kept)
    elif isinstance(request, FolderRequest):
        from napari_pffnet.worker import folder

        yield from folder.run(request, kept)
    elif isinstance(request, TrainRequest):
        from napari_pffnet.worker import training

        kept.drop()
        _free_memory()
        yield from training.run(request, job.control)


def _free_memory() -> None:
    """Give back what only the last job has needed."""
    gc.collect()
    with suppress(ImportError, OSError):
        import torch

        torch.cuda.empty_cache()  # nothing where CUDA was not used
        if torch.backends.mps.is_available():
            torch.mps.empty_cache()
