"""Segmentation of an image layer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_pffnet.generators import retell
from napari_pffnet.messages import Progress, SegmentDone
from napari_pffnet.segmentation.memory import check_labels_fit
from napari_pffnet.segmentation.planes import segment_planes_iter
from napari_pffnet.segmentation.stack import Stack
from napari_pffnet.worker.arrays import read_array

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_pffnet.messages import SegmentRequest
    from napari_pffnet.segmentation.planes import PlaneDone, PlanesResult
    from napari_pffnet.worker.models import KeptModel

_PARTS = 1000
"""Of the progress."""


def run(
    request: SegmentRequest, kept: KeptModel
) -> Generator[Progress | SegmentDone, None, None]:
    """Segment, and write the result into the folder of the request.

    Writes ``labels.npy``, ``semantic.npy``, ``objects.pkl`` (the table) and
    ``candidates/``.
    """
    yield Progress(done=0, total=_PARTS, text="loading the model")
    array = read_array(request.image.array)
    _check_memory(Stack.of(array, request.image.axes))
    model = kept.get(request.model, request.device)
    yield Progress(done=0, total=_PARTS)
    steps = segment_planes_iter(
        array,
        model,
        request.config,
        axes=request.image.axes,
        region=request.region,
        channel_names=request.image.channel_names,
        pixel_size_um=request.image.pixel_size_um,
    )
    result = yield from retell(steps, _progress)
    _write(result, Path(request.out))
    yield SegmentDone(record=result.record.model_dump(mode="json"), notes=result.notes)


def _check_memory(stack: Stack) -> None:
    """Refuse what would end the memory; of stacks the tab Folder holds as much."""
    if stack.planes > 1:
        check_labels_fit(stack.planes, stack.shape_yx)
    else:
        remedy = "use the tab Folder, which keeps them on the disk, or a smaller crop"
        check_labels_fit(1, stack.shape_yx, remedy=remedy)


def _progress(step: PlaneDone) -> Progress:
    text = f"plane {step.plane} of {step.planes}" if step.planes > 1 else ""
    return Progress(done=round(step.fraction * _PARTS), total=_PARTS, text=text)


def _write(result: PlanesResult, folder: Path) -> None:
    (folder / "candidates").mkdir(parents=True, exist_ok=True)
    np.save(folder / "labels.npy", result.labels)
    np.save(folder / "semantic.npy", result.semantic)
    # In the window's private folder; CSV would lose the types of the columns.
    result.table.to_pickle(folder / "objects.pkl")
    result.candidates.write(folder / "candidates")
