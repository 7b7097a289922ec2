"""What the workers of a cluster do; each worker process loads the model once."""

from __future__ import annotations

import logging
import signal
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Any

from napari_pffnet.data.lazy import open_image
from napari_pffnet.data.readers import ImageFile
from napari_pffnet.files import hash_file
from napari_pffnet.folders.image import is_large
from napari_pffnet.folders.outputs import CannotWriteError
from napari_pffnet.generators import finish
from napari_pffnet.messages import explain
from napari_pffnet.segmentation.means import first_means
from napari_pffnet.segmentation.memory import is_out_of_memory
from napari_pffnet.segmentation.predictor import Predictor, choose_dtype
from napari_pffnet.segmentation.tiles import find_in_tiles
from napari_pffnet.weights import load_model

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from napari_pffnet.config import Precision
    from napari_pffnet.data.tiling import Tile
    from napari_pffnet.folders.image_task import ImageTask
    from napari_pffnet.folders.record import ImageRecord
    from napari_pffnet.folders.results import Asked
    from napari_pffnet.pffnet.norms import Moments
    from napari_pffnet.segmentation.tiles import TileFound
    from napari_pffnet.segmentation.view import Scaled
    from napari_pffnet.weights import Model

logger = logging.getLogger("napari_pffnet")

_network_in_use = Lock()
"""A worker may run tasks in several threads: meanwhile the others read their images."""


@dataclass(frozen=True, slots=True)
class ModelSource:
    """A model as it travels: workers load it by themselves.

    Attributes
    ----------
    path, sha256
        The checkpoint, and the hash of the file.
    device
        As `load_model` takes it.
    threads
        CPU threads of the network; 0 leaves the choice to torch.
    """

    path: Path
    sha256: str
    device: str
    threads: int

    def load(self) -> Model:
        """Return the model; only the first call in a process reads it."""
        _use_threads(self.threads)
        return _load(self)


def dask_setup(worker: object) -> None:
    """Leave Ctrl-C, which all processes of a terminal hear, to the first of them.

    dask calls this in each worker that was started on this machine for one run.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def prepare(source: ModelSource) -> None:
    """Load the model.

    Raises
    ------
    ValueError, OSError
        If this worker cannot.
    """
    with _network_in_use:
        source.load()


# ------------------------------------------------------------------- images


@dataclass(frozen=True, slots=True)
class Written:
    """All files of an image are written."""

    record: ImageRecord


@dataclass(frozen=True, slots=True)
class WasThere:
    """The results of an image were there."""

    record: ImageRecord


@dataclass(frozen=True, slots=True)
class IsLarge:
    """An image is so large that all workers should share it."""

    asked: Asked


@dataclass(frozen=True, slots=True)
class NotDone:
    """An image could not be segmented."""

    sentence: str


Outcome = Written | WasThere | IsLarge | NotDone


def do_image(task: ImageTask, source: ModelSource) -> Outcome:
    """Segment an image and write its files.

    Raises
    ------
    CannotWriteError
        If the folder takes no more files.
    """
    try:
        return _do_image(task, source)
    except CannotWriteError:
        raise
    # Whatever is wrong with one image, the others are worth doing.
    except Exception as error:
        logger.debug("%s failed.", task.job.image, exc_info=True)
        return NotDone(explain(error).sentence)


def _do_image(task: ImageTask, source: ModelSource) -> Outcome:
    loaded = task.load()
    file = loaded.content
    if not isinstance(file, ImageFile):
        return WasThere(file)
    if is_large(file, task.config):
        return IsLarge(loaded.asked)
    with _network_in_use:
        return Written(finish(task.segment_iter(file, loaded.asked, source.load())))


# ------------------------------------------------------------------- tiles


@dataclass(frozen=True, slots=True)
class FileArray:
    """The pixels of an image file, which each process opens by itself.

    Attributes
    ----------
    path, sha256
        The file, and the hash of its content.
    shape
        Of the array in it.
    """

    path: Path
    sha256: str
    shape: tuple[int, ...]

    def __getitem__(self, index: tuple[int | slice, ...]) -> Any:
        """Read a part."""
        return _opened(self.path, self.sha256)[index]


@dataclass(frozen=True, slots=True)
class TileGroup:
    """A few tiles of a large image.

    Attributes
    ----------
    numbers, tiles
        Which tiles; they lie beside each other.
    scaled, slack, skip_background, norms
        As `Plan` has them.
    precision
        Arithmetic of the network.
    """

    numbers: tuple[int, ...]
    tiles: tuple[Tile, ...]
    scaled: Scaled
    slack: float
    skip_background: bool
    norms: Mapping[str, Moments]
    precision: Precision


def find_group(group: TileGroup, source: ModelSource) -> list[TileFound]:
    """Find what tiles show; where the memory ends, one at a time."""
    with _network_in_use:
        model = source.load()
        shape = group.scaled.plane.shape
        batch = first_means(model.device, "auto", shape, model.info).batch
        try:
            return _find_group(group, model, batch)
        except (RuntimeError, MemoryError) as error:
            if batch == 1 or not is_out_of_memory(error):
                raise
        return _find_group(group, model, 1)


def _find_group(group: TileGroup, model: Model, batch: int) -> list[TileFound]:
    dtype = choose_dtype(group.precision, model.device)
    found = find_in_tiles(
        group.scaled,
        group.tiles,
        Predictor(model.network, model.device, dtype, batch, group.norms),
        slack=group.slack,
        skip_background=group.skip_background,
    )
    return list(found)


# ------------------------------------------------------------------- caches


@lru_cache(maxsize=1)
def _load(source: ModelSource) -> Model:
    if hash_file(source.path) != source.sha256:
        raise ValueError(f"{source.path} is another file here than where pffnet runs.")
    return load_model(source.path, device=source.device)


@lru_cache(maxsize=1)
def _opened(path: Path, sha256: str) -> Any:
    return open_image(path).array


def _use_threads(count: int) -> None:
    import torch

    if count:
        torch.set_num_threads(count)
