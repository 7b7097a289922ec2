"""The planes of a stack, a film or a part of an image, one after the other."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_pffnet.candidates import PlaneCandidates
from napari_pffnet.config import SegmentConfig
from napari_pffnet.data.tiling import context_margin
from napari_pffnet.generators import finish, retell
from napari_pffnet.segmentation.result import Found, paint_classes
from napari_pffnet.segmentation.run import check_model, find_iter
from napari_pffnet.segmentation.stack import Stack
from napari_pffnet.segmentation.view import view_plane

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from napari_pffnet.config import Region
    from napari_pffnet.segmentation.result import Search, SegmentationRecord, TileDone
    from napari_pffnet.segmentation.stack import Sliceable
    from napari_pffnet.weights import Model

logger = logging.getLogger("napari_pffnet")


@dataclass(frozen=True, slots=True)
class PlaneDone:
    """One more piece of a plane went through the network.

    Attributes
    ----------
    plane, planes
        The plane at work, counted from 1 in the order of the work, and how many
        there are.
    done, total
        Pieces of this plane.
    """

    plane: int
    planes: int
    done: int
    total: int

    @property
    def fraction(self) -> float:
        """How much of the image is done, 0 to 1."""
        return (self.plane - 1 + self.done / self.total) / self.planes


@dataclass(frozen=True, slots=True)
class PlanesResult:
    """The objects of all planes of an image.

    Attributes
    ----------
    labels
        int32, (Y, X) behind the leading axes T, Z as the image has them; ids
        1..N over all planes.
    semantic
        uint8 class map of the same shape; 0 outside the region.
    table
        One row an object, row i is label i + 1; ``t`` and ``z`` tell the plane.
    candidates
        What was found down to the network's lowest score, overlaps kept.
    notes
        What the user should know, in sentences.
    record
        How the result came about.
    """

    labels: NDArray[np.int32]
    semantic: NDArray[np.uint8]
    table: pd.DataFrame
    candidates: PlaneCandidates
    notes: tuple[str, ...]
    record: SegmentationRecord


def segment_planes(
    image: Sliceable,
    model: Model,
    *,
    axes: str,
    region: Region | None = None,
    channel_names: tuple[str, ...] = (),
    pixel_size_um: float | None = None,
    **options: Any,
) -> PlanesResult:
    """Segment a stack, a film or a part of an image, plane by plane.

    Parameters
    ----------
    image
        Any axes; read slice by slice, never whole, so it may be a dask or zarr
        array.
    model
        As `load_model` returns it.
    axes
        A letter for each axis of the image: T, Z, Y, X, C, S.
    region
        Part of each plane to segment, by default all of it.  What lies around it
        is seen, too; objects are cut at its edge, as they are at that of an image.
    channel_names
        Names of the image's channels, where known.
    pixel_size_um
        Side of a pixel in micrometres, where known.
    **options
        Those of `SegmentConfig`.

    Returns
    -------
    PlanesResult
        In coordinates of the whole image.

    Raises
    ------
    ValueError
        If an option or the image is not understood; the sentence names the remedy.
    """
    return finish(
        segment_planes_iter(
            image,
            model,
            SegmentConfig.of(options),
            axes=axes,
            region=region,
            channel_names=channel_names,
            pixel_size_um=pixel_size_um,
        )
    )


def segment_planes_iter(
    image: Sliceable,
    model: Model,
    config: SegmentConfig | None = None,
    *,
    axes: str,
    region: Region | None = None,
    channel_names: tuple[str, ...] = (),
    pixel_size_um: float | None = None,
) -> Generator[PlaneDone, None, PlanesResult]:
    """Segment an image plane by plane in steps, each of which may be the last.

    Yields after each piece of a plane; see `segment_planes` for the rest.  The
    intensity limits are those of all planes.  With ``diameter="auto"`` one size
    holds for all of them: that of the first plane in which objects are found,
    beginning with the middle one.
    """
    check_model(model)
    stack = Stack.of(image, axes)
    config = (config or SegmentConfig()).model_copy(update={"axes": stack.axes})
    part = stack.clip(region)
    searches = yield from _search_planes(stack, model, config, part, channel_names)
    record = next((s.record for s in searches if s.record.diameter), searches[0].record)
    candidates = PlaneCandidates(
        planes=tuple(search.found.instances for search in searches),
        leading=stack.leading,
        axes=stack.leading_axes,
        classes=model.info.model.classes,
        covered=record.covered,
        score_threshold=record.score_threshold,
        pixel_size_um=pixel_size_um,
        region=None if region is None else part,
    )
    painted = candidates.paint()
    return PlanesResult(
        labels=painted.labels,
        semantic=_semantic(
            searches, painted.labels, painted.table["class_id"].to_numpy()
        ),
        table=painted.table,
        candidates=candidates,
        notes=_notes(searches),
        record=record.model_copy(
            update={"options": config, "region": candidates.region}
        ),
    )


def _search_planes(
    stack: Stack,
    model: Model,
    config: SegmentConfig,
    region: Region,
    channel_names: tuple[str, ...],
) -> Generator[PlaneDone, None, list[Search]]:
    """Search all planes, the middle one first; return them in their own order."""
    config = config.model_copy(update={"axes": stack.plane_axes})
    limits = stack.limits(model.info, config, channel_names)
    margin = context_margin(
        model.info.diameter_range[1] if config.diameter == "auto" else config.diameter
    )
    seen = stack.around(region, margin)
    searches: dict[int, Search] = {}
    for number in sorted(range(stack.planes), key=lambda n: n != stack.planes // 2):
        view = view_plane(
            stack, number, seen, model.info, config, channel_names, limits
        )
        steps = find_iter(view, model, config)
        search = yield from _counted(steps, len(searches) + 1, stack.planes)
        searches[number] = _placed(search, region, seen, stack.shape_yx)
        if config.diameter == "auto" and search.record.diameter is not None:
            config = config.model_copy(update={"diameter": search.record.diameter})
    return [searches[number] for number in range(stack.planes)]


def _counted(
    steps: Generator[TileDone, None, Search], plane: int, planes: int
) -> Generator[PlaneDone, None, Search]:
    """Count the pieces of a plane among those of all planes."""
    return retell(steps, lambda tile: PlaneDone(plane, planes, tile.done, tile.total))


def _placed(
    search: Search, region: Region, seen: Region, shape: tuple[int, int]
) -> Search:
    """Cut what was seen to the region, and place it in a plane of ``shape``."""
    instances, semantic = search.found.instances, search.found.semantic
    rows, columns = region.y1 - region.y0, region.x1 - region.x0
    dy, dx = region.y0 - seen.y0, region.x0 - seen.x0
    if (rows, columns) == shape:
        return search
    cut = instances.shift(-dy, -dx, (rows, columns))
    if semantic is not None:
        placed = np.zeros(shape, np.uint8)
        placed[region.y0 : region.y1, region.x0 : region.x1] = semantic[
            dy : dy + rows, dx : dx + columns
        ]
        semantic = placed
    found = Found(cut.shift(region.y0, region.x0, shape), semantic)
    return replace(search, found=found)


def _semantic(
    searches: Sequence[Search], labels: NDArray[np.int32], class_ids: NDArray[Any]
) -> NDArray[np.uint8]:
    """Return the class map of all planes, painted where the network gave none."""
    semantic = paint_classes(class_ids, labels)
    for place, search in zip(np.ndindex(labels.shape[:-2]), searches, strict=True):
        if search.found.semantic is not None:
            semantic[place] = search.found.semantic
    return semantic


def _notes(searches: Sequence[Search]) -> tuple[str, ...]:
    """Join the notes of all planes; log them and say how many planes they concern."""
    counts = Counter(note for search in searches for note in search.notes)
    notes = tuple(
        note
        if count == len(searches)
        else f"{note} ({count} of {len(searches)} planes)"
        for note, count in counts.items()
    )
    for note in notes:
        logger.info(note)
    return notes
