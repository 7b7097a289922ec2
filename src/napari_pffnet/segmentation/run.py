"""One image, from raw pixels to labels, classes and a table."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

import torch

from napari_pffnet.config import SegmentConfig
from napari_pffnet.data.axes import check_one_plane
from napari_pffnet.generators import finish
from napari_pffnet.segmentation.means import Means, first_means, lesser_means
from napari_pffnet.segmentation.memory import is_out_of_memory
from napari_pffnet.segmentation.objects import Outcome, find_objects, nothing
from napari_pffnet.segmentation.predictor import Predictor, choose_dtype
from napari_pffnet.segmentation.result import (
    Search,
    SegmentationRecord,
    SegmentationResult,
    TileDone,
    paint_result,
)
from napari_pffnet.segmentation.stack import Stack
from napari_pffnet.segmentation.view import View, view_plane
from napari_pffnet.weights import Model, library_versions, place

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import ArrayLike

    from napari_pffnet.segmentation.assembly import StoredClassMap
    from napari_pffnet.segmentation.objects import FinderWrap
    from napari_pffnet.segmentation.stack import Sliceable
    from napari_pffnet.segmentation.view import Plane

logger = logging.getLogger("napari_pffnet")


def segment(
    image: ArrayLike | Sliceable,
    model: Model,
    *,
    channel_names: tuple[str, ...] = (),
    pixel_size_um: float | None = None,
    **options: Any,
) -> SegmentationResult:
    """Segment one image.

    Parameters
    ----------
    image
        (Y, X), (Y, X, C), or any axes named by ``axes``; any real dtype.  Of dask and
        zarr arrays, memory-mapped files and the like no more is read at a time than
        a tile.
    model
        As `load_model` returns it.
    channel_names
        Names of the image's channels, where known.
    pixel_size_um
        Side of a pixel in micrometres, where known.
    **options
        Those of `SegmentConfig`.

    Returns
    -------
    SegmentationResult
        The same for the same input on the same device.

    Raises
    ------
    ValueError
        If an option or the image is not understood; the sentence names the remedy.
    """
    steps = segment_iter(
        image,
        model,
        SegmentConfig.of(options),
        channel_names=channel_names,
        pixel_size_um=pixel_size_um,
    )
    return finish(steps)


def segment_iter(
    image: ArrayLike | Sliceable,
    model: Model,
    config: SegmentConfig | None = None,
    *,
    channel_names: tuple[str, ...] = (),
    pixel_size_um: float | None = None,
) -> Generator[TileDone, None, SegmentationResult]:
    """Segment one image in steps, each of which may be the last.

    Yields after each piece of the image; see `segment` for the rest.
    """
    config = config or SegmentConfig()
    view = view_image(image, model, config, channel_names)
    return (
        yield from segment_view_iter(view, model, config, pixel_size_um=pixel_size_um)
    )


def segment_view_iter(
    view: View,
    model: Model,
    config: SegmentConfig,
    *,
    pixel_size_um: float | None = None,
) -> Generator[TileDone, None, SegmentationResult]:
    """Segment what `view_image` returned in steps, and log the notes; see `segment`."""
    search = yield from find_iter(view, model, config)
    for note in search.notes:
        logger.info(note)
    return paint_result(search, model.info, pixel_size_um=pixel_size_um)


def check_model(model: Model) -> None:
    """Refuse the name of a model, which `segment_files` takes, where one is needed.

    Raises
    ------
    ValueError
        If it is a name or a path.
    """
    if isinstance(model, str | os.PathLike):
        name = os.fspath(model)
        raise ValueError(f"{name!r} is no model yet; give load_model({name!r}).")


def view_image(
    image: ArrayLike | Sliceable,
    model: Model,
    config: SegmentConfig,
    channel_names: tuple[str, ...] = (),
) -> View:
    """Return an image of one plane as the network sees it; see `segment`."""
    check_model(model)
    stack = Stack.of(image, config.axes)
    check_one_plane(stack.image.shape, stack.axes)
    config = config.model_copy(update={"axes": stack.plane_axes})
    return view_plane(stack, 0, stack.clip(None), model.info, config, channel_names)


def find_iter(
    view: View,
    model: Model,
    config: SegmentConfig,
    *,
    classes: StoredClassMap | None = None,
    wrap: FinderWrap | None = None,
) -> Generator[TileDone, None, Search]:
    """Search one plane for objects in steps; see `segment` and `find_objects`."""
    notes = list(view.notes)
    if view.flaw:
        outcome = nothing(view.plane.shape)
        notes.append(view.flaw)
        yield TileDone(1, 1)
    else:
        outcome = yield from _find_within_memory(
            view.plane, model, config, notes, classes, wrap
        )
    if outcome.scale != 1:
        notes.append(
            f"The objects measure about {outcome.diameter:.3g} pixels; the image was "
            f"segmented at {outcome.scale:.3g} times its size."
        )
    return Search(outcome.found, tuple(notes), _record(model, config, outcome))


def _find_within_memory(
    plane: Plane,
    model: Model,
    config: SegmentConfig,
    notes: list[str],
    classes: StoredClassMap | None,
    wrap: FinderWrap | None,
) -> Generator[TileDone, None, Outcome]:
    """Find the objects; where the memory ends, with less of it."""
    means = first_means(model.device, config.tile, plane.shape, model.info)
    if means.tile != config.tile:
        notes.append(f"Little memory is free; used {means}.")
    model.network.eval()
    try:
        while True:
            try:
                return (yield from _find(plane, model, config, means, classes, wrap))
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                means = lesser_means(means, plane.shape, model.info)
                notes.append(f"The memory did not suffice; used {means}.")
            # Outside of the handler, which holds the tensors of the failure.
            torch.cuda.empty_cache()
            if classes is not None:
                classes.clear()
    finally:
        _move(model, model.device)


def _find(
    plane: Plane,
    model: Model,
    config: SegmentConfig,
    means: Means,
    classes: StoredClassMap | None,
    wrap: FinderWrap | None,
) -> Generator[TileDone, None, Outcome]:
    _move(model, means.device)
    predictor = Predictor(
        model.network,
        means.device,
        choose_dtype(config.precision, means.device),
        means.batch,
    )
    return (
        yield from find_objects(
            plane,
            predictor,
            model.info,
            diameter=config.diameter,
            tile=means.tile,
            skip_background=not config.all_tiles,
            wrap=wrap,
            classes=classes,
        )
    )


def _move(model: Model, device: torch.device) -> None:
    """Move a network between its device and the CPU, which takes 10 ms even if idle."""
    if any(weight.device.type != device.type for weight in model.network.parameters()):
        place(model.network, device)


def _record(
    model: Model, config: SegmentConfig, outcome: Outcome
) -> SegmentationRecord:
    threshold = config.score_threshold
    return SegmentationRecord(
        model=model.info.name,
        weights_sha256=model.sha256,
        options=config,
        score_threshold=(
            model.info.thresholds.score if threshold is None else threshold
        ),
        covered=model.info.thresholds.covered,
        diameter=outcome.diameter,
        scale=outcome.scale,
        tile=outcome.tile,
        device=str(model.device),
        versions=library_versions(),
    )
