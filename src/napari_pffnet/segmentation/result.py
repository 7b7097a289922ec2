"""What a segmentation says while it runs and what it returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from napari_pffnet.config import Region, SegmentConfig

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from napari_pffnet.config import CheckpointInfo
    from napari_pffnet.instances import Instances


@dataclass(frozen=True, slots=True)
class Found:
    """What the network found in an image, in pixels of the image as given.

    Attributes
    ----------
    instances
        Candidates, without those that two tiles found both.
    semantic
        (Y, X) uint8 class map, or None without a semantic branch.
    """

    instances: Instances
    semantic: NDArray[np.uint8] | None


@dataclass(frozen=True, slots=True)
class TileDone:
    """One more piece of the image went through the network.

    Attributes
    ----------
    done, total
        Pieces.  ``total`` may change once, when the first look at the image
        tells that it must be rescaled.
    """

    done: int
    total: int


class SegmentationRecord(BaseModel):
    """How a result came about; JSON through ``model_dump_json``."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    model: str
    """Name of the model."""
    weights_sha256: str
    """Hash of its weights; "" where they were not loaded from a checkpoint."""
    options: SegmentConfig
    """As they were given."""
    region: Region | None = None
    """The part of the image that was segmented; None: all of it."""
    score_threshold: float
    """The one in use."""
    covered: float
    """Share beyond which a covered object was left out."""
    diameter: float | None
    """Given or estimated, pixels of the image; None where nothing was found."""
    scale: float
    """Size of the image that the network saw over that of the image."""
    tile: int
    """Side of the tiles in pixels of that image; 0: none."""
    device: str
    versions: dict[str, str]
    """Of the libraries at work."""


@dataclass(frozen=True, slots=True)
class Search:
    """A search for the objects of one image, complete but for the painting.

    Attributes
    ----------
    found
        What the network found.
    notes
        What the user should know, in sentences.
    record
        How it came about.
    """

    found: Found
    notes: tuple[str, ...]
    record: SegmentationRecord


@dataclass(frozen=True, slots=True)
class SegmentationResult:
    """The objects of one image.

    Attributes
    ----------
    labels
        (Y, X) int32; 0 is background, ids 1..N in falling confidence.
    semantic
        (Y, X) uint8 class map, 0 = background; of the semantic branch, or
        painted from the instances where the network has none.
    objects
        One row an object, row i is label i + 1.
    instances
        Every candidate down to the network's lowest score, overlaps kept.
    notes
        What the user should know, in sentences.
    record
        How the result came about.
    """

    labels: NDArray[np.int32]
    semantic: NDArray[np.uint8]
    objects: pd.DataFrame
    instances: Instances
    notes: tuple[str, ...]
    record: SegmentationRecord


def paint_result(
    search: Search, info: CheckpointInfo, *, pixel_size_um: float | None = None
) -> SegmentationResult:
    """Paint candidates and describe them."""
    instances, semantic = search.found.instances, search.found.semantic
    record = search.record
    painted = instances.paint(
        score_threshold=record.score_threshold, covered=record.covered
    )
    table = instances.to_table(
        painted.labels, painted.index, info.model.classes, pixel_size_um
    )
    if semantic is None:
        semantic = paint_classes(instances.class_ids[painted.index], painted.labels)
    return SegmentationResult(
        painted.labels, semantic, table, instances, search.notes, record
    )


def paint_classes(
    class_ids: NDArray[np.integer[Any]], labels: NDArray[np.int32]
) -> NDArray[np.uint8]:
    """Return the uint8 class map of painted objects; ``class_ids[i]`` is i + 1's."""
    return np.append(0, class_ids).astype(np.uint8)[labels]
