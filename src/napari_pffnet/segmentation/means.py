"""What a segmentation may use, and what is left to try when memory ends."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from napari_pffnet.data.tiling import STRIDE, context_margin, least_tile
from napari_pffnet.segmentation.memory import free_memory
from napari_pffnet.segmentation.objects import WHOLE_UP_TO, TileSize

if TYPE_CHECKING:
    from napari_pffnet.config import CheckpointInfo, ModelConfig

_GPU_BATCH = 4
"""Tiles that a GPU gets at once."""
_LEAST_TILE = 256
"""Tiles are not made smaller than this, nor than the largest objects need."""
_SHARE = 0.5
"""Of the free memory, that a tile may take."""
_BYTES_A_PIXEL, _MEASURED_CHANNELS = 600.0, 128


@dataclass(frozen=True, slots=True)
class Means:
    """Where the network runs and how much it gets at once.

    Attributes
    ----------
    device
        Where it runs.
    tile
        Side of the tiles, see `TileSize`.
    batch
        Tiles at once.
    """

    device: torch.device
    tile: TileSize
    batch: int

    def __str__(self) -> str:
        """Say it to the user."""
        tiles = "" if self.tile == "auto" else f", tiles of {self.tile} pixels"
        return f"{self.device.type}{tiles}, {self.batch} at once"


def first_means(
    device: torch.device, tile: TileSize, shape: tuple[int, int], info: CheckpointInfo
) -> Means:
    """Return what to begin with for an image of ``shape`` (Y, X).

    Automatic tiles are as large as was validated where the free memory allows it.
    """
    side = info.tile_size
    fitting = math.sqrt(_SHARE * free_memory(device) / _bytes_a_pixel(info.model))
    if tile == "auto" and min(WHOLE_UP_TO * side, max(shape)) > fitting:
        tile = min(side, max(_least_side(info), int(fitting) // STRIDE * STRIDE))
    return Means(device, tile, _GPU_BATCH if device.type == "cuda" else 1)


def _bytes_a_pixel(config: ModelConfig) -> float:
    """Return what a crowded tile takes, by the width of the network.

    The bundled model was measured: 280 bytes with 800 candidates in 1024 x 1024.
    """
    return _BYTES_A_PIXEL * config.fpn_channels / _MEASURED_CHANNELS


def _least_side(info: CheckpointInfo) -> int:
    """Return the side of the smallest tiles for objects as a model was trained on."""
    return max(_LEAST_TILE, least_tile(context_margin(info.diameter_range[1])))


def lesser_means(means: Means, shape: tuple[int, ...], info: CheckpointInfo) -> Means:
    """Return what to try after these ended in want of memory.

    One tile at a time first, then smaller tiles, then the CPU.

    Parameters
    ----------
    means
        What did not suffice.
    shape
        (Y, X, ...) of the image.
    info
        Of the model.

    Raises
    ------
    torch.OutOfMemoryError
        If nothing less is left.
    """
    if means.batch > 1:
        return replace(means, batch=1)
    side = max(shape[:2])
    if means.tile == "auto":
        side = min(side, int(WHOLE_UP_TO * info.tile_size))
    elif means.tile > 0:
        side = min(side, means.tile)
    least = _least_side(info)
    if side > least:
        return replace(means, tile=max(side // 2, least))
    if means.device.type != "cpu":
        return Means(torch.device("cpu"), "auto", 1)
    raise torch.OutOfMemoryError(
        f"An image of {shape[0]} x {shape[1]} pixels does not fit into the memory, "
        f"not even in tiles of {side}."
    )
