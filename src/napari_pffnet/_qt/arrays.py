"""Arrays on their way to the child process and back, through files."""

from __future__ import annotations

import logging
import pickle
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_pffnet.messages import ArrayFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

    from napari_pffnet.candidates import PlaneCandidates

logger = logging.getLogger("napari_pffnet")

_PIECE = 4 << 20
"""Bytes that are copied at once: longer copies would hold up the GUI thread."""


@dataclass(frozen=True, slots=True)
class SegmentArrays:
    """What a segmentation leaves in its folder.

    Attributes
    ----------
    labels, semantic
        int32 and uint8, of the shape of the image without channels.
    table
        Row i is label i + 1.
    candidates
        For the live threshold.
    """

    labels: NDArray[np.int32]
    semantic: NDArray[np.uint8]
    table: pd.DataFrame
    candidates: PlaneCandidates


def write_array(folder: Path, name: str, data: Any) -> ArrayFile:
    """Write an array for the child process; call it in a thread.

    Parameters
    ----------
    folder
        The private folder of a job; it is made if need be.
    name
        Of the file, without its ending.
    data
        numpy: its pixels are written.  dask, zarr, xarray and other arrays: only
        how to read them, where that can be pickled, else their pixels.

    Raises
    ------
    ValueError
        If the array holds Python objects.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if type(data).__module__.partition(".")[0] == "xarray":
        data = data.data
    recipe = folder / f"{name}.pickle"
    if not isinstance(data, np.ndarray) and _is_pickled(data, recipe):
        return ArrayFile(path=str(recipe), kind="pickle")
    pixels = folder / f"{name}.npy"
    _write_pixels(data, pixels)
    return ArrayFile(path=str(pixels))


def read_result(folder: Path) -> SegmentArrays:
    """Read what a segmentation has left; call it in a thread."""
    # Loaded here, as a widget must open at once.
    import pandas as pd

    from napari_pffnet.candidates import PlaneCandidates

    return SegmentArrays(
        labels=np.load(folder / "labels.npy"),
        semantic=np.load(folder / "semantic.npy"),
        table=pd.read_pickle(folder / "objects.pkl"),
        candidates=PlaneCandidates.read(folder / "candidates"),
    )


def _is_pickled(data: Any, path: Path) -> bool:
    """Pickle a lazy array, if that can be done."""
    # A dependency of dask, and so of napari.
    import cloudpickle

    try:
        # Into the file at once: in memory, the GUI thread would wait for it.
        with path.open("wb") as file:
            pickle.dump(sys.path, file)
            cloudpickle.dump(data, file)
    except OSError:  # the disk is full
        raise
    except Exception as error:  # noqa: BLE001 - arrays of any library, any reason
        logger.debug("The pixels of %s are copied: %s", type(data), error)
        path.unlink()
        return False
    return True


def _write_pixels(data: Any, path: Path) -> None:
    """Write a .npy file piece by piece.

    Not into a mapped file, where a full disk would end napari with a signal.
    """
    if data.dtype.hasobject:
        raise ValueError(
            f"The layer holds Python objects ({data.dtype}), not numbers; "
            "convert it to numbers first."
        )
    header = {
        "descr": np.lib.format.dtype_to_descr(data.dtype),
        "fortran_order": False,
        "shape": tuple(data.shape),
    }
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for piece in _pieces(data):
            file.write(piece.data)


def _pieces(data: Any) -> Iterator[NDArray[np.generic]]:
    """Yield an array in C order, in contiguous pieces that are quickly copied."""
    if data.size * data.dtype.itemsize <= _PIECE:
        yield np.ascontiguousarray(data)
    elif data.shape[0] == 1:
        yield from _pieces(data[0])
    else:
        rows = max(1, _PIECE * data.shape[0] // (data.size * data.dtype.itemsize))
        for start in range(0, data.shape[0], rows):
            yield from _pieces(data[start : start + rows])
