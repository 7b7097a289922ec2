"""Image and label files: PNG, TIFF, JPEG."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import imagecodecs
import imageio.v3 as imageio
import numpy as np
import tifffile

if TYPE_CHECKING:
    from collections.abc import Callable
    from os import PathLike

    from numpy.typing import NDArray

TIFF_SUFFIXES = (".tif", ".tiff")
JPEG_SUFFIXES = (".jpg", ".jpeg")
IMAGE_SUFFIXES = (".png", *TIFF_SUFFIXES, *JPEG_SUFFIXES)

_T = TypeVar("_T")
_UM_PER_UNIT = {
    "m": 1e6, "cm": 1e4, "mm": 1e3, "um": 1.0, "micron": 1.0, "microns": 1.0,
    "µm": 1.0, "μm": 1.0, "\\u00b5m": 1.0, "nm": 1e-3,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ImageFile:
    """What a file says.

    Attributes
    ----------
    array
        The pixels as stored; palettes and CMYK are turned to RGB.
    axes
        One letter an axis (Y, X, C channel, S colour sample, Z, T), or None
        where the file does not say.
    channel_names
        Names of the channels, or nothing.
    pixel_size_um
        Side of a pixel in micrometres, or None where unknown.
    """

    array: NDArray[np.generic]
    axes: str | None
    channel_names: tuple[str, ...] = ()
    pixel_size_um: float | None = None


@dataclass(frozen=True, slots=True)
class _TiffFacts:
    channel_names: tuple[str, ...] = ()
    pixel_size_um: float | None = None


def read_image(path: str | PathLike[str]) -> ImageFile:
    """Read an image and what the file says of its axes.

    Parameters
    ----------
    path
        PNG, TIFF in any compression that imagecodecs knows, or JPEG.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is of another kind or damaged.
    """
    path = _known_file(path)
    return _guarded(path, _read_tiff if _is_tiff(path) else _read_picture)


def read_labels(path: str | PathLike[str]) -> NDArray[np.generic]:
    """Read a label image as it is stored, without any check of its values.

    Of palette images the indices are read, not the colours.

    Returns
    -------
    ndarray
        Axes of length 1 are dropped; (Y, X) in a proper label image.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is of another kind or damaged.
    """
    path = _known_file(path)
    array = _guarded(path, _read_tiff_labels if _is_tiff(path) else _read_indices)
    if array.ndim == 3 and array.shape[-1] in (2, 3, 4):
        array = _common_channel(array)
    while array.ndim > 2 and 1 in array.shape:
        array = array.squeeze(array.shape.index(1))
    return array


def _is_tiff(path: Path) -> bool:
    return path.suffix.lower() in TIFF_SUFFIXES


def _known_file(path: str | PathLike[str]) -> Path:
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    if path.suffix.lower() not in IMAGE_SUFFIXES:
        raise ValueError(
            f"{path} is none of the files that can be read; save it as one of "
            f"{', '.join(IMAGE_SUFFIXES)}."
        )
    return path


def _guarded(path: Path, read: Callable[[Path], _T]) -> _T:
    """Read with one kind of error, whatever library finds the file damaged."""
    try:
        return read(path)
    # Decoders raise errors of a dozen unrelated types.
    except Exception as error:
        raise ValueError(
            f"{path} cannot be read ({error}); is it damaged, or of another kind "
            "than its name says?"
        ) from error


def _read_picture(path: Path) -> ImageFile:
    array: NDArray[np.generic]
    if _is_plain_png(path):
        # Pillow would cut 16-bit colours to 8 bit and refuse huge images.
        array = imagecodecs.png_decode(path.read_bytes())
    else:
        mode = _pillow_mode(path)
        decoded = "RGB" if mode in ("CMYK", "YCbCr", "LAB") else None
        array = imageio.imread(path, plugin="pillow", mode=decoded)
    return ImageFile(array, "YX" if array.ndim == 2 else "YXS")


def _is_plain_png(path: Path) -> bool:
    """Whether a file is a PNG of 8 or 16 bit without a palette."""
    with path.open("rb") as file:
        header = file.read(26)
    if len(header) < 26 or not header.startswith(b"\x89PNG"):
        return False
    bits, color_type = header[24:26]
    return bits >= 8 and color_type != 3


def _pillow_mode(path: Path) -> str:
    # By itself imageio tries a dozen plugins on a damaged file.
    return str(imageio.immeta(path, plugin="pillow")["mode"])


def _read_indices(path: Path) -> NDArray[np.generic]:
    if _is_plain_png(path) or _pillow_mode(path) != "P":
        return _read_picture(path).array
    return imageio.imread(path, plugin="pillow", mode="P")


def _common_channel(array: NDArray[np.generic]) -> NDArray[np.generic]:
    """Return the first of equal channels; leave colours as they are."""
    colors = array[..., :3] if array.shape[-1] > 2 else array[..., :1]
    return colors[..., 0] if (colors == colors[..., :1]).all() else array


def _read_tiff_labels(path: Path) -> NDArray[np.generic]:
    with tifffile.TiffFile(path) as tiff:
        return np.asarray(tiff.series[0].asarray())


def _read_tiff(path: Path) -> ImageFile:
    with tifffile.TiffFile(path) as tiff:
        series = tiff.series[0]
        array, axes = np.asarray(series.asarray()), str(series.axes)
        page = series.keyframe
        array, axes = _decode_colors(array, axes, page)
        facts = _ome_facts(tiff) or _imagej_facts(tiff)
    known = set(axes) <= set("YXCSZT") and {"Y", "X"} <= set(axes)
    # Axes that the file leaves open are named by the user, or guessed by shape;
    # pages in a row have no meaning of their own.
    named = axes if known else _drop_single(axes, array.shape)
    if named is not None and len(named) != array.ndim:
        array = array.squeeze()
    return ImageFile(array, named, facts.channel_names, facts.pixel_size_um)


def _drop_single(axes: str, shape: tuple[int, ...]) -> str | None:
    """Return the axes without unknown ones of length 1; None: unclear."""
    left = "".join(a for a, n in zip(axes, shape, strict=True) if n != 1 or a in "YX")
    return left if set(left) <= set("YXCSZT") and {"Y", "X"} <= set(left) else None


def _decode_colors(
    array: NDArray[np.generic], axes: str, page: Any
) -> tuple[NDArray[np.generic], str]:
    """Turn palettes and CMYK to RGB; call samples that are no colours channels."""
    kind = page.photometric
    if kind == tifffile.PHOTOMETRIC.PALETTE and page.colormap is not None:
        return np.moveaxis(page.colormap[:, array], 0, -1), f"{axes}S"
    if kind == tifffile.PHOTOMETRIC.MINISWHITE and array.dtype.kind == "u":
        return np.invert(np.asarray(array, np.uint64)).astype(array.dtype), axes
    if kind == tifffile.PHOTOMETRIC.SEPARATED and axes.endswith("S"):
        full = float(np.array(-1).astype(array.dtype))
        ink = array.astype(np.float64) / full
        light = (1 - ink[..., :3]) * (1 - ink[..., 3:4])
        return np.round(light * full).astype(array.dtype), axes
    colors = (tifffile.PHOTOMETRIC.RGB, tifffile.PHOTOMETRIC.YCBCR)
    return array, axes if kind in colors else axes.replace("S", "C")


def _ome_facts(tiff: tifffile.TiffFile) -> _TiffFacts | None:
    if not tiff.ome_metadata:
        return None
    pixels = _first(tifffile.xml2dict(tiff.ome_metadata)["OME"]["Image"])["Pixels"]
    channels = pixels.get("Channel", [])
    channels = channels if isinstance(channels, list) else [channels]
    names = tuple(str(channel.get("Name", "")) for channel in channels)
    unit = str(pixels.get("PhysicalSizeXUnit", "µm"))
    size = _micrometres(pixels.get("PhysicalSizeX"), unit)
    return _TiffFacts(names if any(names) else (), size)


def _imagej_facts(tiff: tifffile.TiffFile) -> _TiffFacts:
    metadata = tiff.imagej_metadata
    if not metadata:
        return _TiffFacts()
    labels = metadata.get("Labels", [])
    labels = [labels] if isinstance(labels, str) else labels
    resolution = tiff.series[0].keyframe.tags.get("XResolution")
    size = None
    if resolution is not None and resolution.value[0]:
        pixels, units = resolution.value
        size = _micrometres(units / pixels, str(metadata.get("unit", "")))
    return _TiffFacts(tuple(str(label) for label in labels), size)


def _micrometres(size: Any, unit: str) -> float | None:
    factor = _UM_PER_UNIT.get(unit.strip().lower())
    return float(size) * factor if size and factor else None


def _first(item: Any) -> Any:
    return item[0] if isinstance(item, list) else item
