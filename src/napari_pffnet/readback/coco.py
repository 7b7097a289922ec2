"""Objects from COCO JSON: results or annotations, masks as runs or polygons."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, TypeAdapter, ValidationError

from napari_pffnet.data.coco_masks import (
    Mask,
    RunLengths,
    polygon_pixels,
    run_pixels,
    runs_of,
)
from napari_pffnet.readback.objects import (
    ReadLabels,
    ReadObject,
    check_size,
    to_labels,
)

if TYPE_CHECKING:
    from os import PathLike

    from numpy.typing import NDArray


class _Factors(BaseModel):
    """What `export.coco` adds: the factors of the score."""

    score: float
    quality: float


class _Annotation(BaseModel):
    image_id: int | str
    category_id: int = 1
    segmentation: Mask
    score: float = math.nan
    pffnet: _Factors | None = None


class _Image(BaseModel):
    id: int | str
    height: int
    width: int
    file_name: str = ""


class _Category(BaseModel):
    id: int
    name: str


class _Dataset(BaseModel):
    annotations: list[_Annotation]
    images: list[_Image] = []
    categories: list[_Category] = []


def is_coco(path: str | PathLike[str]) -> bool:
    """Whether a JSON file looks like COCO, without reading its meaning."""
    content = Path(path).read_bytes()
    return b'"segmentation"' in content and b'"image_id"' in content


def read_coco(path: str | PathLike[str]) -> list[ReadLabels]:
    """Read COCO results (a list) or a COCO data set, one label image an image.

    Where objects overlap, the more confident one keeps the pixels.

    Raises
    ------
    ValueError
        If the file is no COCO JSON, or an object of it has no valid mask.
    """
    adapter: TypeAdapter[list[_Annotation] | _Dataset]
    adapter = TypeAdapter(list[_Annotation] | _Dataset)
    try:
        content = adapter.validate_json(Path(path).read_bytes())
    except ValidationError as error:
        raise ValueError(
            f"{path} is neither a list of COCO results nor a COCO data set with "
            "annotations that have a segmentation."
        ) from error
    if isinstance(content, list):
        content = _Dataset(annotations=content)
    images = {image.id: image for image in content.images}
    by_image: dict[int | str, list[_Annotation]] = {key: [] for key in images}
    for annotation in content.annotations:
        by_image.setdefault(annotation.image_id, []).append(annotation)
    names = {category.id: category.name for category in content.categories}
    return [
        _read_one(key, found, images.get(key), names) for key, found in by_image.items()
    ]


def _read_one(
    key: int | str,
    annotations: list[_Annotation],
    image: _Image | None,
    names: dict[int, str],
) -> ReadLabels:
    shape = (image.height, image.width) if image else _extent(annotations)
    check_size(*shape)
    name = Path(image.file_name).stem if image and image.file_name else str(key)
    objects = [_object(annotation, names, shape) for annotation in annotations]
    classes = [names[i] for i in sorted(names)]
    return to_labels(objects, name=name, shape=shape, classes=classes)


def _extent(annotations: list[_Annotation]) -> tuple[int, int]:
    """Return height and width as masks tell them, else up to the last object."""
    corners = [(1.0, 1.0)]
    for annotation in annotations:
        if isinstance(annotation.segmentation, RunLengths):
            return annotation.segmentation.size
        for points in _areas(annotation.segmentation):
            corners += [(y, x) for x, y in zip(points[::2], points[1::2], strict=False)]
    height, width = np.ceil(np.max(corners, axis=0)).astype(int).tolist()
    return height, width


def _object(
    annotation: _Annotation, names: dict[int, str], shape: tuple[int, int]
) -> ReadObject:
    factors = annotation.pffnet
    mask, origin = _mask(annotation.segmentation, shape)
    class_name = names.get(annotation.category_id, f"class {annotation.category_id}")
    return ReadObject(
        mask,
        origin,
        class_name,
        score=factors.score if factors else annotation.score,
        quality=factors.quality if factors else math.nan,
    )


def _mask(
    segmentation: Mask, shape: tuple[int, int]
) -> tuple[NDArray[np.bool_], tuple[int, int]]:
    """Return the pixels of an object, cropped to its box, and their origin y, x."""
    if isinstance(segmentation, RunLengths):
        y, x = run_pixels(runs_of(segmentation), segmentation.size[0])
    else:
        y, x = polygon_pixels(_areas(segmentation), shape)
    if len(x) == 0:
        return np.zeros((0, 0), np.bool_), (0, 0)
    mask = np.zeros((np.ptp(y) + 1, np.ptp(x) + 1), np.bool_)
    mask[y - y.min(), x - x.min()] = True
    return mask, (int(y.min()), int(x.min()))


def _areas(polygons: list[list[float]]) -> list[list[float]]:
    """Leave out points and lines, which some programs leave behind."""
    return [points for points in polygons if len(points) >= 6]
