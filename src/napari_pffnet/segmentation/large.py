"""Images whose label image does not fit into memory."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_pffnet.config import SegmentConfig
from napari_pffnet.instances import VisibleObjects
from napari_pffnet.segmentation.run import find_iter, view_image

if TYPE_CHECKING:
    from collections.abc import Generator

    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

    from napari_pffnet.instances import Instances
    from napari_pffnet.segmentation.assembly import StoredClassMap
    from napari_pffnet.segmentation.objects import FinderWrap
    from napari_pffnet.segmentation.result import SegmentationRecord, TileDone
    from napari_pffnet.segmentation.stack import Sliceable
    from napari_pffnet.segmentation.view import Thumbnail
    from napari_pffnet.weights import Model

logger = logging.getLogger("napari_pffnet")


@dataclass(frozen=True, slots=True)
class LargeResult:
    """The objects of an image, of whose labels any part can be painted.

    Attributes
    ----------
    objects
        Row i is label i + 1.
    table
        One row an object, as `SegmentationResult.objects`.
    candidates
        Every candidate down to the network's lowest score, overlaps kept.
    thumbnail
        The image as the network saw it, but for most of its pixels.
    notes
        What the user should know, in sentences.
    record
        How the result came about.
    has_classes
        Whether the network has told a class map; if not, `paint_classes` paints one.
    """

    objects: VisibleObjects
    table: pd.DataFrame
    candidates: Instances
    thumbnail: Thumbnail
    notes: tuple[str, ...]
    record: SegmentationRecord
    has_classes: bool

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the image."""
        return self.objects.objects.shape

    def paint(self, rows: slice, columns: slice) -> NDArray[np.int32]:
        """Return a part of the label image, ids as in the table."""
        return self.objects.paint(rows, columns)

    def paint_classes(self, rows: slice, columns: slice) -> NDArray[np.uint8]:
        """Return a part of a class map made of the objects."""
        class_ids = np.append(0, self.objects.objects.class_ids).astype(np.uint8)
        return class_ids[self.paint(rows, columns)]


def segment_large_iter(
    image: ArrayLike | Sliceable,
    model: Model,
    config: SegmentConfig | None = None,
    *,
    classes: StoredClassMap,
    channel_names: tuple[str, ...] = (),
    pixel_size_um: float | None = None,
    wrap: FinderWrap | None = None,
) -> Generator[TileDone, None, LargeResult]:
    """Segment one image without ever holding an image of its size.

    The objects, ids and values are those of `segment_iter`.

    Parameters
    ----------
    image, model, config, channel_names, pixel_size_um
        As of `segment_iter`.
    classes
        (Y, X) uint8 zeros, written part by part, on a disk for example.
    wrap
        Changes how the tiles are found: see `find_objects`.
    """
    config = config or SegmentConfig()
    view = view_image(image, model, config, channel_names)
    told = _Told(classes)
    search = yield from find_iter(view, model, config, classes=told, wrap=wrap)
    for note in search.notes:
        logger.info(note)
    record = search.record
    objects = VisibleObjects.of(
        search.found.instances,
        score_threshold=record.score_threshold,
        covered=record.covered,
    )
    table = objects.table(model.info.model.classes, pixel_size_um)
    return LargeResult(
        objects,
        table,
        search.found.instances,
        view.plane.thumbnail,
        search.notes,
        record,
        told.is_written,
    )


class _Told:
    """A class map that knows whether anything was written into it."""

    def __init__(self, classes: StoredClassMap) -> None:
        self._classes = classes
        self.is_written = False

    def __setitem__(
        self, index: tuple[slice, slice], patch: NDArray[np.uint8], /
    ) -> None:
        self._classes[index] = patch
        self.is_written = True

    def clear(self) -> None:
        self._classes.clear()
        self.is_written = False
