"""Objects from COCO JSON: results or annotations, masks as runs or polygons."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, TypeAdapter, ValidationError

from napari_pffnet.readback.objects import ReadLabels, ReadObject, fill, to_labels

if TYPE_CHECKING:
    from os import PathLike

    from numpy.typing import NDArray


class _Runs(BaseModel):
    """A mask as run lengths, column by column."""

    size: tuple[int, int]
    counts: str | list[int]


class _Factors(BaseModel):
    """What `export.coco` adds: the factors of the score."""

    score: float
    quality: float


class _Annotation(BaseModel):
    image_id: int | str
    category_id: int = 1
    segmentation: _Runs | list[list[float]]
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
    shape = (image.height, image.width) if image else None
    for annotation in annotations:
        if shape is None and isinstance(annotation.segmentation, _Runs):
            shape = annotation.segmentation.size
    name = Path(image.file_name).stem if image and image.file_name else str(key)
    objects = [_object(annotation, names) for annotation in annotations]
    classes = [names[i] for i in sorted(names)]
    return to_labels(objects, name=name, shape=shape, classes=classes)


def _object(annotation: _Annotation, names: dict[int, str]) -> ReadObject:
    segmentation, factors = annotation.segmentation, annotation.pffnet
    if isinstance(segmentation, _Runs):
        mask, origin = decode_runs(segmentation.counts, segmentation.size)
    else:
        mask, origin = fill([np.reshape(ring, (-1, 2)) for ring in segmentation])
    class_name = names.get(annotation.category_id, f"class {annotation.category_id}")
    return ReadObject(
        mask,
        origin,
        class_name,
        score=factors.score if factors else annotation.score,
        quality=factors.quality if factors else math.nan,
    )


def decode_runs(
    counts: str | list[int], size: tuple[int, int]
) -> tuple[NDArray[np.bool_], tuple[int, int]]:
    """Return the mask of run lengths, cropped to its box, and its origin y, x.

    Parameters
    ----------
    counts
        Runs of background and object in turns, column by column, as numbers or as
        COCO compresses them.
    size
        Height and width of the image.

    Raises
    ------
    ValueError
        If the runs are longer than the image.
    """
    runs = np.array(_decompress(counts) if isinstance(counts, str) else counts, int)
    ends = np.cumsum(runs)
    if (runs < 0).any() or (len(ends) and ends[-1] > size[0] * size[1]):
        raise ValueError(f"A mask has more pixels than its image of {size}.")
    starts, lengths = (ends - runs)[1::2], runs[1::2]
    # The pixels of all runs of the object, one after the other.
    skipped = np.repeat(starts - (np.cumsum(lengths) - lengths), lengths)
    x, y = np.divmod(np.arange(lengths.sum()) + skipped, size[0])
    if len(x) == 0:
        return np.zeros((0, 0), np.bool_), (0, 0)
    mask = np.zeros((np.ptp(y) + 1, np.ptp(x) + 1), np.bool_)
    mask[y - y.min(), x - x.min()] = True
    return mask, (int(y.min()), int(x.min()))


def _decompress(counts: str) -> list[int]:
    """Return the run lengths of the ASCII string of COCO; see `export.coco`."""
    runs: list[int] = []
    number = shift = 0
    for character in counts.encode("ascii"):
        bits = character - 48
        number |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            # The highest of the bits is the sign.
            number -= (bits & 16) << (shift - 4)
            runs.append(number + (runs[-2] if len(runs) > 2 else 0))
            number = shift = 0
    return runs
