"""Image and label files: PNG, TIFF, JPEG."""

from __future__ import annotations

import logging
import math
import struct
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import imagecodecs
import imageio.v3 as imageio
import numpy as np
import tifffile

from napari_pffnet.data.series import tell_of_others

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from os import PathLike

    from numpy.typing import NDArray

TIFF_SUFFIXES = (".tif", ".tiff")
JPEG_SUFFIXES = (".jpg", ".jpeg")
IMAGE_SUFFIXES = (".png", *TIFF_SUFFIXES, *JPEG_SUFFIXES)
MOST_SAMPLES = 2**31
"""Larger images cannot be held at once: rather a sentence than no memory left."""

_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
_MOST_COMPRESSED = 100_000
"""No method packs an image that means something into so small a part of it."""
_SMALL = 2**26
"""Bytes of an image that does no harm, whatever its file looks like."""
_T = TypeVar("_T")
_UM_PER_UNIT = {
    "m": 1e6, "cm": 1e4, "mm": 1e3, "um": 1.0, "micron": 1.0, "microns": 1.0,
    "µm": 1.0, "μm": 1.0, "\\u00b5m": 1.0, "nm": 1e-3,
    "micrometer": 1.0, "nanometer": 1e-3, "millimeter": 1e3, "meter": 1e6,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ImageFile:
    """What a file says.

    Attributes
    ----------
    array
        The pixels as stored; palettes and CMYK are turned to RGB.  Of a large file
        perhaps something that reads them part by part, see `lazy`.
    axes
        One letter an axis (Y, X, C channel, S colour sample, Z, T), or None
        where the file does not say.
    channel_names
        Names of the channels, or nothing.
    pixel_size_um
        Side of a pixel in micrometres, or None where unknown.
    """

    array: Any
    axes: str | None
    channel_names: tuple[str, ...] = ()
    pixel_size_um: float | None = None


@dataclass(frozen=True, slots=True)
class TiffFacts:
    """What a TIFF says beside its pixels."""

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
        If the file is of another kind, damaged, or claims to be absurdly large.
    """
    path = _known_file(path)
    return guarded(path, _by_kind(_read_picture, _read_tiff))


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
        If the file is of another kind, damaged, or claims to be absurdly large.
    """
    path = _known_file(path)
    array = guarded(path, _by_kind(_read_indices, _read_tiff_labels))
    if array.ndim == 3 and array.shape[-1] in (2, 3, 4):
        array = _common_channel(array)
    while array.ndim > 2 and 1 in array.shape:
        array = array.squeeze(array.shape.index(1))
    return array


def _is_picture(path: Path) -> bool:
    """Whether a file is a PNG or JPEG, whatever its name says.

    All else is taken for a TIFF: Pillow would open anything, PostScript included,
    which is a program.
    """
    with path.open("rb") as file:
        return file.read(8).startswith((_PNG, _JPEG))


def _known_file(path: str | PathLike[str]) -> Path:
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"{path} is a folder; name one of the images in it.")
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    if path.suffix.lower() not in IMAGE_SUFFIXES:
        raise ValueError(
            f"{path} is none of the files that can be read; save it as one of "
            f"{', '.join(IMAGE_SUFFIXES)}."
        )
    return path


def _by_kind(
    read_picture: Callable[[Path], _T], read_tiff: Callable[[Path], _T]
) -> Callable[[Path], _T]:
    """Return what reads a file as the one or the other."""
    return lambda path: read_picture(path) if _is_picture(path) else read_tiff(path)


def guarded(path: Path, read: Callable[[Path], _T]) -> _T:
    """Read with one kind of error, whatever library finds the file damaged."""
    try:
        with _held_complaints():
            return read(path)
    except MemoryError:
        # That is no fault of the file.
        raise
    # Decoders raise errors of a dozen unrelated types.
    except Exception as error:
        raise ValueError(
            f"{path} cannot be read ({_first_cause(error)}); is it damaged, or of "
            "another kind than its name says?"
        ) from error


def _first_cause(error: BaseException) -> BaseException:
    """Return what a decoder said; imageio wraps it in "an unknown error"."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


@contextmanager
def _held_complaints() -> Iterator[None]:
    """Hold back what the decoders log, and drop it where they fail anyway."""
    records: list[logging.LogRecord] = []

    def hold(record: logging.LogRecord) -> bool:
        records.append(record)
        return False

    loggers = [logging.getLogger(name) for name in ("tifffile", "imagecodecs")]
    for logger in loggers:
        logger.addFilter(hold)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(hold)
    for record in records:
        logging.getLogger(record.name).handle(record)


def check_size(
    path: Path, shape: tuple[int, ...], itemsize: int, *, is_held: bool = True
) -> None:
    """Refuse what a file claims to hold before memory is taken for it.

    With ``is_held`` also what does not fit into the memory at once.
    """
    count, size = math.prod(shape), path.stat().st_size
    told = f"{' x '.join(map(str, shape))} values"
    if count == 0:
        raise ValueError(f"it holds {told}, which is nothing")
    if not can_hold(size, shape, itemsize):
        raise ValueError(f"its {size:,} bytes cannot hold the {told} that it claims")
    if is_held and count > MOST_SAMPLES:
        raise ValueError(
            f"it holds {told}, more than the {MOST_SAMPLES:,} that are read at once; "
            "cut it into parts"
        )


def can_hold(size: int, shape: tuple[int, ...], itemsize: int) -> bool:
    """Whether files of so many bytes may hold an array, however packed."""
    return math.prod(shape) * itemsize <= max(_SMALL, _MOST_COMPRESSED * size)


def _read_picture(path: Path) -> ImageFile:
    array: NDArray[np.generic]
    if _is_plain_png(path):
        check_size(path, _png_shape(path), 1)
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


def _png_shape(path: Path) -> tuple[int, int]:
    with path.open("rb") as file:
        width, height = struct.unpack(">II", file.read(24)[16:])
    return height, width


def _pillow_mode(path: Path) -> str:
    # By itself imageio tries a dozen plugins on a damaged file.
    return str(imageio.immeta(path, plugin="pillow")["mode"])


def _read_indices(path: Path) -> NDArray[np.generic]:
    if _is_plain_png(path) or _pillow_mode(path) != "P":
        pixels: NDArray[np.generic] = _read_picture(path).array
        return pixels
    return imageio.imread(path, plugin="pillow", mode="P")


def _common_channel(array: NDArray[np.generic]) -> NDArray[np.generic]:
    """Return the first of equal channels; leave colours as they are."""
    colors = array[..., :3] if array.shape[-1] > 2 else array[..., :1]
    return colors[..., 0] if (colors == colors[..., :1]).all() else array


def _read_tiff_labels(path: Path) -> NDArray[np.generic]:
    with tifffile.TiffFile(path) as tiff:
        return _tiff_pixels(tiff, path)


def _read_tiff(path: Path) -> ImageFile:
    with tifffile.TiffFile(path) as tiff:
        array, series = _tiff_pixels(tiff, path), tiff.series[0]
        tell_of_others(tiff, path)
        array, axes = _decode_colors(array, str(series.axes), series.keyframe)
        facts = tiff_facts(tiff)
    named = name_tiff_axes(axes, array.shape)
    if named is not None and len(named) != array.ndim:
        array = array.squeeze()
    return ImageFile(array, named, facts.channel_names, facts.pixel_size_um)


def _tiff_pixels(tiff: tifffile.TiffFile, path: Path) -> NDArray[np.generic]:
    # To find its series, tifffile makes a list of all planes that OME claims.
    for shape in ome_shapes(tiff):
        check_size(path, shape, 1)
    series = tiff.series[0]
    check_size(path, series.shape, series.dtype.itemsize)
    return np.asarray(series.asarray())


def tiff_facts(tiff: tifffile.TiffFile) -> TiffFacts:
    """Return what OME or ImageJ say beside the pixels."""
    return _ome_facts(tiff) or _imagej_facts(tiff)


def name_tiff_axes(axes: str, shape: tuple[int, ...]) -> str | None:
    """Return the axes that a file names, without unknown ones of length 1.

    Where it leaves some open they are named by the user, or guessed by shape: None;
    pages in a row have no meaning of their own.
    """
    known = set(axes) <= set("YXCSZT") and {"Y", "X"} <= set(axes)
    return axes if known else _drop_single(axes, shape)


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
    inks = page.samplesperpixel - len(page.extrasamples)
    if kind == tifffile.PHOTOMETRIC.SEPARATED and inks == 4 and "S" in axes:
        return _mix_inks(array, axes.index("S")), axes
    return array, name_samples(axes, page)


def name_samples(axes: str, page: Any) -> str:
    """Call samples that are no colours channels."""
    colors = (tifffile.PHOTOMETRIC.RGB, tifffile.PHOTOMETRIC.YCBCR)
    return axes if page.photometric in colors else axes.replace("S", "C")


def _mix_inks(array: NDArray[np.generic], axis: int) -> NDArray[np.generic]:
    """Turn CMYK along an axis to RGB."""
    full = float(np.array(-1).astype(array.dtype))
    cyan, magenta, yellow, black = (
        1 - np.take(array, ink, axis).astype(np.float64) / full for ink in range(4)
    )
    light = np.stack([cyan, magenta, yellow], axis) * np.expand_dims(black, axis)
    return np.asarray(np.round(light * full), array.dtype)


def _ome_pixels(tiff: tifffile.TiffFile) -> list[dict[str, Any]]:
    """Return what OME says of the pixels of each image in a file."""
    if not tiff.ome_metadata:
        return []
    images = tifffile.xml2dict(tiff.ome_metadata).get("OME", {}).get("Image", [])
    return [image["Pixels"] for image in _listed(images) if "Pixels" in image]


def ome_shapes(tiff: tifffile.TiffFile) -> list[tuple[int, ...]]:
    """Return the shape of each image that OME claims, as TZCYX."""
    return [
        tuple(int(pixels.get(f"Size{axis}", 1)) for axis in "TZCYX")
        for pixels in _ome_pixels(tiff)
    ]


def _ome_facts(tiff: tifffile.TiffFile) -> TiffFacts | None:
    images = _ome_pixels(tiff)
    if not images:
        return None
    pixels = images[0]
    channels = _listed(pixels.get("Channel", []))
    names = tuple(str(channel.get("Name", "")) for channel in channels)
    unit = str(pixels.get("PhysicalSizeXUnit", "µm"))
    size = to_micrometres(pixels.get("PhysicalSizeX"), unit)
    return TiffFacts(names if any(names) else (), size)


def _imagej_facts(tiff: tifffile.TiffFile) -> TiffFacts:
    metadata = tiff.imagej_metadata
    if not metadata:
        return TiffFacts()
    labels = metadata.get("Labels", [])
    labels = [labels] if isinstance(labels, str) else labels
    resolution = tiff.series[0].keyframe.tags.get("XResolution")
    size = None
    if resolution is not None and resolution.value[0]:
        pixels, units = resolution.value
        size = to_micrometres(units / pixels, str(metadata.get("unit", "")))
    return TiffFacts(tuple(str(label) for label in labels), size)


def to_micrometres(size: Any, unit: str) -> float | None:
    """Return a length in micrometres, or None where size or unit tell none."""
    factor = _UM_PER_UNIT.get(unit.strip().lower())
    try:
        micrometres = float(size) * (factor or 0)
    except (TypeError, ValueError):
        return None
    return micrometres if 0 < micrometres < math.inf else None


def _listed(item: Any) -> list[Any]:
    return item if isinstance(item, list) else [item]
