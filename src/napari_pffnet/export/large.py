"""Label images and class maps that are never whole in memory: BigTIFF, OME-Zarr."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile
import zarr

from napari_pffnet.files import whole_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from os import PathLike

    from numpy.typing import DTypeLike, NDArray

Paint = Callable[[slice, slice], "NDArray[np.generic]"]
"""Returns a part of all planes of an image: rows and columns with start and stop."""

TILE = 512
"""Side of the tiles of a TIFF, pixels."""
CHUNK = 1024
"""Side of the chunks of a zarr array, pixels."""
_LEAST_LEVEL = 512
"""A pyramid ends with a level that is no larger than this, pixels."""


def write_tiled_tiff(
    paint: Paint,
    shape: tuple[int, int],
    dtype: DTypeLike,
    path: str | PathLike[str],
    *,
    pixel_size_um: float | None = None,
) -> None:
    """Write an image tile by tile as TIFF, as BigTIFF where it needs to be.

    Parameters
    ----------
    paint
        Returns a part of the image.
    shape, dtype
        Of the image.
    path
        File to write; replaced if it is there.
    pixel_size_um
        Side of a pixel in micrometres, where known.
    """
    known: dict[str, Any] = {}
    if pixel_size_um is not None:
        known = {
            "resolution": (1e4 / pixel_size_um, 1e4 / pixel_size_um),
            "resolutionunit": "CENTIMETER",
        }
    with whole_file(Path(path)) as part:
        tifffile.imwrite(
            part,
            (paint(*window).astype(dtype) for window in _windows(shape, TILE)),
            shape=shape,
            dtype=dtype,
            tile=(TILE, TILE),
            photometric="minisblack",
            compression="zlib",
            metadata={"axes": "YX"},
            **known,
        )


def create_zarr(
    path: Path, shape: tuple[int, ...], dtype: DTypeLike
) -> zarr.Array[Any]:
    """Return a new array of zeros in a folder, to be written part by part."""
    return zarr.create_array(
        path,
        shape=shape,
        dtype=dtype,
        chunks=(1,) * (len(shape) - 2) + tuple(min(CHUNK, n) for n in shape[-2:]),
        zarr_format=2,
        chunk_key_encoding={"name": "v2", "separator": "/"},
        fill_value=0,
    )


def write_ome_zarr(
    paint: Paint,
    shape: tuple[int, ...],
    dtype: DTypeLike,
    path: str | PathLike[str],
    *,
    name: str,
    axes: str = "",
    pixel_size_um: float | None = None,
) -> None:
    """Write a label image or class map chunk by chunk as OME-Zarr (0.4).

    A pyramid of halves lies beside it, each pixel of which is one of the level below:
    the mean of two numbers would be a third object.

    Parameters
    ----------
    paint, dtype, pixel_size_um
        As of `write_tiled_tiff`.
    shape
        (..., Y, X) of the image.
    path
        Folder to write; it must not be there.
    name
        Of the image.
    axes
        Letters T and Z of what comes before Y and X.
    """
    path = Path(path)
    group = zarr.open_group(path, mode="w-", zarr_format=2)
    levels = _level_shapes(shape)
    for number, size in enumerate(levels):
        level = create_zarr(path / str(number), size, dtype)
        for window in _windows(size, CHUNK):
            pixels = paint(*window).astype(dtype)
            # What was never written is zero.
            if pixels.any():
                level[(..., *window)] = pixels
        paint = _halved(level)
    group.attrs.update(_metadata(name, axes, len(levels), pixel_size_um))


def _halved(level: zarr.Array[Any]) -> Paint:
    def paint(rows: slice, columns: slice) -> NDArray[np.generic]:
        part = level[
            ..., 2 * rows.start : 2 * rows.stop, 2 * columns.start : 2 * columns.stop
        ]
        return np.asarray(part)[..., ::2, ::2]

    return paint


def _level_shapes(shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Return the shape of each level of a pyramid, the whole first."""
    levels = [shape]
    while max(levels[-1][-2:]) > _LEAST_LEVEL:
        *leading, height, width = levels[-1]
        levels.append((*leading, -(-height // 2), -(-width // 2)))
    return levels


def _windows(shape: tuple[int, ...], side: int) -> Iterator[tuple[slice, slice]]:
    """Yield the tiles of an image row by row; the last ones may be narrower."""
    height, width = shape[-2:]
    for y in range(0, height, side):
        for x in range(0, width, side):
            yield slice(y, min(y + side, height)), slice(x, min(x + side, width))


def _metadata(
    name: str, axes: str, levels: int, pixel_size_um: float | None
) -> dict[str, Any]:
    unit = {} if pixel_size_um is None else {"unit": "micrometer"}
    # Steps in time and depth are not known.
    leading = [
        {"name": axis.lower(), "type": "time" if axis == "T" else "space"}
        for axis in axes
    ]
    plane = [{"name": axis, "type": "space", **unit} for axis in "yx"]
    size = 1.0 if pixel_size_um is None else pixel_size_um
    datasets = [
        {
            "path": str(number),
            "coordinateTransformations": [
                {
                    "type": "scale",
                    "scale": [1.0] * len(axes) + [size * 2**number] * 2,
                }
            ],
        }
        for number in range(levels)
    ]
    multiscale = {
        "version": "0.4", "name": name, "axes": leading + plane, "datasets": datasets,
    }  # fmt: skip
    return {"multiscales": [multiscale], "image-label": {"version": "0.4"}}
