"""Label images, class maps and tables: TIFF and CSV."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile

from napari_pffnet.files import whole_file, write_atomically

if TYPE_CHECKING:
    from os import PathLike

    import pandas as pd
    from numpy.typing import NDArray

_ROUNDED = ("score", "quality", "worst_quality", "confidence", "area_um2")


def write_labels(
    labels: NDArray[np.integer[Any]],
    path: str | PathLike[str],
    *,
    pixel_size_um: float | None = None,
    axes: str = "",
) -> None:
    """Write a label image as TIFF, compressed without loss.

    Parameters
    ----------
    labels
        (..., Y, X); 0 is background.  uint16 in the file where the ids allow it,
        which all programs read, else int32.
    path
        File to write; replaced if it is there.
    pixel_size_um
        Side of a pixel in micrometres, where known.
    axes
        Those before Y and X, T or Z, where known.

    Raises
    ------
    ValueError
        If there are negative ids or such as int32 does not hold.
    """
    low, high = labels.min(initial=0), labels.max(initial=0)
    if low < 0 or high > np.iinfo(np.int32).max:
        raise ValueError(
            f"The labels hold {low if low < 0 else high}; number the objects from 1 "
            f"to at most {np.iinfo(np.int32).max:,}."
        )
    fits = high <= np.iinfo(np.uint16).max
    numbers = labels.astype(np.uint16 if fits else np.int32)
    _write_tiff(numbers, path, pixel_size_um, axes)


def write_semantic(
    semantic: NDArray[np.uint8],
    path: str | PathLike[str],
    *,
    pixel_size_um: float | None = None,
    axes: str = "",
) -> None:
    """Write a (..., Y, X) uint8 class map as `write_labels` does."""
    _write_tiff(semantic.astype(np.uint8, copy=False), path, pixel_size_um, axes)


def write_objects(objects: pd.DataFrame, path: str | PathLike[str]) -> None:
    """Write the table of the objects as CSV; an unknown quality stays empty.

    Our own measures have 6 digits, the columns of others all of theirs.
    """
    rounded = {
        name: objects[name].map("{:.6g}".format, na_action="ignore")
        for name in _ROUNDED
        if name in objects and objects[name].dtype.kind == "f"
    }
    text = objects.assign(**rounded).to_csv(index=False, lineterminator="\n")
    write_atomically(Path(path), text.encode())


def write_parquet(objects: pd.DataFrame, path: str | PathLike[str]) -> None:
    """Write the table of the objects as Parquet; needs the package pyarrow."""
    with whole_file(Path(path)) as part:
        objects.to_parquet(part, engine="pyarrow", index=False)


def _write_tiff(
    image: NDArray[np.generic],
    path: str | PathLike[str],
    pixel_size_um: float | None,
    axes: str,
) -> None:
    known: dict[str, Any] = {}
    if pixel_size_um is not None:
        known = {
            "resolution": (1e4 / pixel_size_um, 1e4 / pixel_size_um),
            "resolutionunit": "CENTIMETER",
        }
    with whole_file(Path(path)) as part:
        tifffile.imwrite(
            part,
            image,
            # Or a stack of three planes would become the colours of one.
            photometric="minisblack",
            compression="zlib",
            # Q: planes or time points, this is not known here.
            metadata={"axes": f"{axes}YX".rjust(image.ndim, "Q")},
            **known,
        )
