"""Objects from regions of interest of ImageJ."""

from __future__ import annotations

import math
import re
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_pffnet.readback.objects import ReadLabels, ReadObject, fill, to_labels

if TYPE_CHECKING:
    from os import PathLike

# As `export.imagej` names them: number, part of the object, confidence.
_NAME = re.compile(
    r"(?P<number>\d+)(?: [tz]\d+)*(?: part \d+)?(?: c(?P<confidence>\d\.\d+))?"
)


@dataclass(slots=True)
class _Regions:
    """The regions that make up one object."""

    number: int | None = None
    confidence: float = math.nan
    rings: list[Any] = field(default_factory=list)


def is_rois(path: str | PathLike[str]) -> bool:
    """Whether a file is a region of ImageJ, or a zip of them."""
    path = Path(path)
    if path.suffix.lower() == ".roi":
        return True
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.lower().endswith(".roi") for name in archive.namelist())


def read_rois(path: str | PathLike[str]) -> ReadLabels:
    """Read the regions of ImageJ's ROI manager that have an area.

    Numbers and confidences are taken from the names that `export.imagej` gives;
    other regions are counted.  Lines and points are left out.

    Parameters
    ----------
    path
        ``.zip`` or ``.roi``.

    Raises
    ------
    ImportError
        If the package roifile is missing; the sentence says how to get it.
    ValueError
        If the file is damaged, or its regions lie in several planes of a stack.
    """
    try:
        import roifile
    except ImportError as error:
        raise ImportError(
            "ImageJ regions need the package roifile: "
            "pip install 'napari-pffnet[export]'"
        ) from error
    try:
        read = roifile.roiread(path)
    except (ValueError, zipfile.BadZipFile, IndexError) as error:
        raise ValueError(f"{path} holds no regions of ImageJ: {error}") from error
    kinds = roifile.ROI_TYPE
    lines = (
        kinds.LINE,
        kinds.FREELINE,
        kinds.POLYLINE,
        kinds.POINT,
        kinds.ANGLE,
    )
    found = read if isinstance(read, list) else [read]
    regions = [region for region in found if region.roitype not in lines]
    _check_one_plane(path, regions)
    name = Path(path).stem.removesuffix("_rois")
    return to_labels([_object(item) for item in _grouped(regions)], name=name)


def _check_one_plane(path: str | PathLike[str], regions: list[Any]) -> None:
    planes = {
        (region.position, region.z_position, region.t_position) for region in regions
    }
    if len(planes) > 1:
        raise ValueError(
            f"The regions of {path} lie in {len(planes)} planes of a stack; save "
            "those of one plane at a time."
        )


def _grouped(regions: list[Any]) -> list[_Regions]:
    """Put the regions of one object together, by the number in their names."""
    objects: dict[int | str, _Regions] = {}
    for i, region in enumerate(regions):
        match = _NAME.fullmatch(region.name or "")
        key = int(match["number"]) if match else f"region {i}"
        item = objects.setdefault(key, _Regions())
        item.rings += region.coordinates(multi=True)
        if match:
            item.number = int(match["number"])
            item.confidence = float(match["confidence"] or math.nan)
    return list(objects.values())


def _object(item: _Regions) -> ReadObject:
    mask, origin = fill(item.rings)
    return ReadObject(mask, origin, "object", score=item.confidence, number=item.number)
