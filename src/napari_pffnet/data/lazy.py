"""Large files, of which only parts are read at a time: TIFF, zarr, OME-Zarr."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile
import zarr

from napari_pffnet.data.readers import (
    TIFF_SUFFIXES,
    ImageFile,
    can_hold,
    check_size,
    guarded,
    name_samples,
    name_tiff_axes,
    ome_shapes,
    read_image,
    tiff_facts,
    to_micrometres,
)
from napari_pffnet.data.series import tell_of_others

if TYPE_CHECKING:
    from os import PathLike

    from numpy.typing import NDArray

ZARR_SUFFIX = ".zarr"
LAZY_FROM = 2**27
"""Bytes of pixels from which on a TIFF is not read at once."""
_AS_STORED = (
    tifffile.PHOTOMETRIC.MINISBLACK,
    tifffile.PHOTOMETRIC.RGB,
    tifffile.PHOTOMETRIC.YCBCR,
)
_MOST_EMPTY = 2**40
"""Bytes of a zarr array of which nothing needs to be on the disk."""
_DECODING = Lock()
_Index = tuple[int | slice, ...]


def open_image(path: str | PathLike[str]) -> ImageFile:
    """Open an image; a large one is read part by part, when it is looked at.

    Parameters
    ----------
    path
        What `read_image` reads, or the folder of a zarr array or an OME-Zarr image,
        whose name ends in ``.zarr``.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is of another kind, damaged, or claims to be absurdly large.
    """
    path = Path(path)
    if path.suffix.lower() == ZARR_SUFFIX and path.is_dir():
        return guarded(path, _open_zarr)
    if path.suffix.lower() in TIFF_SUFFIXES and path.is_file():
        opened = guarded(path, _open_tiff)
        if opened is not None:
            return opened
    return read_image(path)


def open_pyramid(path: str | PathLike[str]) -> list[zarr.Array[Any]]:
    """Open all levels of an OME-Zarr image, the finest first.

    Raises
    ------
    ValueError
        If the folder holds no such image.
    """

    def levels(path: Path) -> list[Any]:
        group = zarr.open_group(path, mode="r")
        found = _multiscales(group)[0]["datasets"]
        return [group[level["path"]] for level in found]

    return guarded(Path(path), levels)


# ------------------------------------------------------------------- TIFF


class _OpenedHere:
    """What is opened when it is first read, in each process anew."""

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k != "_array"}


@dataclass(frozen=True)
class TiffArray(_OpenedHere):
    """The first series of a TIFF; between two reads the file is closed.

    Attributes
    ----------
    path
        The file.
    shape, dtype
        Of the series.
    offset
        Where its pixels lie in one piece and as they are; None: they do not.
    """

    path: Path
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    offset: int | None

    def __getitem__(self, index: _Index) -> NDArray[np.generic]:
        """Read a part; ValueError if it is damaged."""
        return guarded(self.path, lambda path: self._read(index))

    def _read(self, index: _Index) -> NDArray[np.generic]:
        if self.offset is None:
            return self._decode(index)
        # Mapped for this part alone: pages that were read count as memory in use.
        pixels = np.memmap(self.path, self.dtype, "r", self.offset, self.shape)
        return np.array(pixels[index])

    def _decode(self, index: _Index) -> NDArray[np.generic]:
        # Another thread may read, too: it must not find the file closed meanwhile.
        with _DECODING:
            array = self._array
            try:
                return np.asarray(array[index])
            finally:
                # Or on Windows nobody could remove the file.
                array.store.close()

    @cached_property
    def _array(self) -> Any:
        # All its pages are looked up, which takes long.  A read opens the file again.
        store = tifffile.imread(self.path, aszarr=True, level=0)
        return zarr.open_array(store, mode="r")


def _open_tiff(path: Path) -> ImageFile | None:
    """Open a large TIFF whose pixels need no decoding of colours."""
    with path.open("rb") as file:
        if file.read(2) not in (b"II", b"MM"):
            return None
    with tifffile.TiffFile(path) as tiff:
        for shape in ome_shapes(tiff):
            check_size(path, shape, 1, is_held=False)
        series, page = tiff.series[0], tiff.series[0].keyframe
        if series.nbytes < LAZY_FROM or page.photometric not in _AS_STORED:
            return None
        check_size(path, series.shape, series.dtype.itemsize, is_held=False)
        axes = name_tiff_axes(name_samples(str(series.axes), page), series.shape)
        if axes is not None and len(axes) != len(series.shape):
            return None
        tell_of_others(tiff, path)
        dtype = np.dtype(tiff.byteorder + series.dtype.char)
        array = TiffArray(path, series.shape, dtype, series.dataoffset)
        facts = tiff_facts(tiff)
    return ImageFile(array, axes, facts.channel_names, facts.pixel_size_um)


# ------------------------------------------------------------------- zarr


@dataclass(frozen=True)
class ZarrArray(_OpenedHere):
    """An array in a zarr folder, opened when it is first read.

    Attributes
    ----------
    path
        The folder.
    component
        Name of the array in it; "" for the folder itself.
    shape, dtype
        Of the array.
    """

    path: Path
    component: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def __getitem__(self, index: _Index) -> NDArray[np.generic]:
        """Read a part; ValueError if it is damaged."""
        return guarded(self.path, lambda path: np.asarray(self._array[index]))

    @cached_property
    def _array(self) -> Any:
        return zarr.open_array(self.path / self.component, mode="r")


def _open_zarr(path: Path) -> ImageFile:
    node = zarr.open(path, mode="r")
    if isinstance(node, zarr.Array):
        return ImageFile(_described(path, "", node), None)
    told = _ome(node)
    image = _multiscales(node)[0]
    level = image["datasets"][0]
    array = _described(path, level["path"], node[level["path"]])
    axes = "".join(_axis_name(axis) for axis in image.get("axes", ()))
    known = set(axes) <= set("YXCZT") and len(axes) == len(array.shape)
    channels = (told.get("omero") or {}).get("channels") or []
    names = tuple(
        str(channel.get("label", "")) if isinstance(channel, dict) else ""
        for channel in channels
    )
    return ImageFile(
        array,
        axes if known else None,
        names if any(names) else (),
        _pixel_size(image, level),
    )


def _ome(group: Any) -> dict[str, Any]:
    """Return OME's attributes, which lie one level deeper since version 0.5."""
    attributes: dict[str, Any] = dict(group.attrs)
    told: dict[str, Any] = attributes.get("ome", attributes)
    return told


def _multiscales(group: Any) -> list[dict[str, Any]]:
    told = _ome(group)
    if "multiscales" not in told:
        raise ValueError(
            "it is neither a zarr array nor an OME-Zarr image; name the array in it"
        )
    images: list[dict[str, Any]] = told["multiscales"]
    if not (images and images[0].get("datasets")):
        raise ValueError("its multiscales name no array")
    return images


def _described(path: Path, component: str, array: Any) -> ZarrArray:
    shape, dtype = tuple(array.shape), np.dtype(array.dtype)
    _check_stored(path, shape, dtype.itemsize)
    return ZarrArray(path, component, shape, dtype)


def _check_stored(path: Path, shape: tuple[int, ...], itemsize: int) -> None:
    """Refuse an array that claims far more than its files can hold.

    Most often the first of them tell enough.  What was never written is zero, and so
    may be most of a slide.
    """
    if math.prod(shape) * itemsize <= _MOST_EMPTY:
        return
    size, files = 0, (file for file in path.rglob("*") if file.is_file())
    while not can_hold(size, shape, itemsize):
        file = next(files, None)
        if file is None:
            told = " x ".join(map(str, shape))
            raise ValueError(
                f"its {size:,} bytes cannot hold the {told} values that it claims"
            )
        size += file.stat().st_size


def _axis_name(axis: Any) -> str:
    return str(axis["name"] if isinstance(axis, dict) else axis).upper()


def _pixel_size(image: dict[str, Any], level: dict[str, Any]) -> float | None:
    """Return the side of a pixel along X in micrometres, where it is told."""
    axis = (image.get("axes") or [None])[-1]
    unit = axis.get("unit") if isinstance(axis, dict) else None
    scales = [
        change["scale"][-1]
        for change in level.get("coordinateTransformations") or []
        if change.get("type") == "scale" and change.get("scale")
    ]
    return to_micrometres(scales[0], str(unit)) if scales and unit else None
