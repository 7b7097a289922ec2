"""One image or stack, from what its file holds to what is written of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_pffnet.data.axes import check_axes
from napari_pffnet.folders.large import LARGE_FROM
from napari_pffnet.generators import retell
from napari_pffnet.linking import link_planes
from napari_pffnet.segmentation import segment_planes_iter
from napari_pffnet.segmentation.memory import check_labels_fit
from napari_pffnet.segmentation.run import segment_view_iter, view_image
from napari_pffnet.segmentation.stack import Stack

if TYPE_CHECKING:
    from collections.abc import Generator

    import pandas as pd
    from numpy.typing import NDArray

    from napari_pffnet.config import SegmentConfig
    from napari_pffnet.data.readers import ImageFile
    from napari_pffnet.instances import Instances
    from napari_pffnet.segmentation import SegmentationRecord
    from napari_pffnet.segmentation.stack import Sliceable
    from napari_pffnet.segmentation.view import Plane
    from napari_pffnet.weights import Model


@dataclass(frozen=True, slots=True)
class Segmented:
    """All that the files of one image are made of.

    Attributes
    ----------
    labels, semantic
        (Y, X) behind the axes of a stack.
    objects
        One row an object, row i is label i + 1; of a stack with columns t, z.
    outlines
        The same, or of linked objects a row for each plane.
    axes
        T and Z, as the labels have them; "" for an image.
    candidates
        Overlaps kept; None for a stack.
    plane
        What the network saw, before any rescaling; None for a stack.
    pixel_size_um
        Side of a pixel in micrometres, or None.
    notes
        What the user should know, in sentences.
    record
        How the result came about.
    """

    labels: NDArray[np.int32]
    semantic: NDArray[np.uint8]
    objects: pd.DataFrame
    outlines: pd.DataFrame
    axes: str
    candidates: Instances | None
    plane: Plane | None
    pixel_size_um: float | None
    notes: tuple[str, ...]
    record: SegmentationRecord


def stack_axes(file: ImageFile, config: SegmentConfig) -> str:
    """Return which of T and Z an image has several of; "" where its axes are unclear.

    Raises
    ------
    ValueError
        If the axes do not fit the image.
    """
    axes = config.axes or file.axes
    if axes is None:
        return ""
    named = check_axes(file.array.shape, axes)
    return "".join(
        a for a, n in zip(named, file.array.shape, strict=True) if a in "TZ" and n > 1
    )


def is_large(file: ImageFile, config: SegmentConfig) -> bool:
    """Say whether an image of one plane is never to be whole in memory."""
    stack = Stack.of(file.array, config.axes or file.axes)
    return stack.planes == 1 and math.prod(stack.shape_yx) > LARGE_FROM


def segment_file_iter(
    file: ImageFile, model: Model, config: SegmentConfig, link: str | None = None
) -> Generator[float, None, Segmented]:
    """Segment what a file holds; yields how much of it is done, 0 to 1.

    Not for large images, see `large`.  Outlines are linked along the axis ``link`` of
    stacks that have it.
    """
    axes = stack_axes(file, config)
    if axes:
        found = yield from _segment_stack(file, model, config, axes)
        return _linked(found, link) if link and link.upper() in axes else found
    return (yield from _segment_image(file, model, config))


def _segment_image(
    file: ImageFile, model: Model, config: SegmentConfig
) -> Generator[float, None, Segmented]:
    config = config.model_copy(update={"axes": config.axes or file.axes})
    view = view_image(file.array, model, config, file.channel_names)
    steps = segment_view_iter(view, model, config, pixel_size_um=file.pixel_size_um)
    result = yield from retell(steps, lambda tile: tile.done / tile.total)
    return Segmented(
        labels=result.labels,
        semantic=result.semantic,
        objects=result.objects,
        outlines=result.objects,
        axes="",
        candidates=result.instances,
        plane=view.plane,
        pixel_size_um=file.pixel_size_um,
        notes=result.notes,
        record=result.record,
    )


def _segment_stack(
    file: ImageFile, model: Model, config: SegmentConfig, stack: str
) -> Generator[float, None, Segmented]:
    """Segment plane by plane; the labels of all planes are in memory."""
    whole = Stack.of(file.array, config.axes or file.axes)
    check_labels_fit(whole.planes, whole.shape_yx)
    named = check_axes(file.array.shape, config.axes or file.axes or "")
    single = [i for i, axis in enumerate(named) if axis in "TZ" and axis not in stack]
    steps = segment_planes_iter(
        _Without(file.array, tuple(single)) if single else file.array,
        model,
        config,
        axes="".join(axis for i, axis in enumerate(named) if i not in single),
        channel_names=file.channel_names,
        pixel_size_um=file.pixel_size_um,
    )
    result = yield from retell(steps, lambda done: done.fraction)
    return Segmented(
        labels=result.labels,
        semantic=result.semantic,
        objects=result.table,
        outlines=result.table,
        axes=stack,
        candidates=None,
        plane=None,
        pixel_size_um=file.pixel_size_um,
        notes=result.notes,
        record=result.record,
    )


def _linked(found: Segmented, axis: str) -> Segmented:
    """Give outlines that go on from plane to plane one number."""
    linked = link_planes(found.labels, found.objects, axis=axis.upper())
    return replace(
        found,
        labels=linked.labels,
        objects=linked.table,
        outlines=linked.parts.sort_values("label", kind="stable"),
    )


@dataclass(frozen=True, slots=True)
class _Without:
    """An array without some axes, all of length 1, read as the array is."""

    array: Sliceable
    axes: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(n for i, n in enumerate(self.array.shape) if i not in self.axes)

    def __getitem__(self, index: tuple[int | slice, ...]) -> NDArray[np.generic]:
        given = iter(index)
        full = (
            0 if i in self.axes else next(given) for i in range(len(self.array.shape))
        )
        return np.asarray(self.array[tuple(full)])
