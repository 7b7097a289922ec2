"""Arrays that the window has written for a job."""

from __future__ import annotations

import pickle
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from napari_pffnet.messages import ArrayFile


def read_array(file: ArrayFile) -> Any:
    """Return an array of the window, which need not fit into the memory.

    Parameters
    ----------
    file
        Lies in the private folder of the window: only that is ever unpickled.

    Returns
    -------
    array
        An ndarray mapped from the file, read-only; or a lazy array (dask, zarr) of
        which only what is sliced gets read.
    """
    if file.kind == "npy":
        return np.load(file.path, mmap_mode="r", allow_pickle=False)
    with open(file.path, "rb") as stream:
        # A lazy array may call functions of modules that only the window finds.
        places: list[str] = pickle.load(stream)
        sys.path.extend(place for place in places if place not in sys.path)
        return pickle.load(stream)
