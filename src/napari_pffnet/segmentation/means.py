"""What a segmentation may use, and what is left to try when memory ends."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from napari_pffnet.segmentation.objects import WHOLE_UP_TO, TileSize

if TYPE_CHECKING:
    from napari_pffnet.config import CheckpointInfo

_GPU_BATCH = 4
"""Tiles that a GPU gets at once."""
_LEAST_TILE = 256
"""Tiles are not made smaller than this."""


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


def first_means(device: torch.device, tile: TileSize) -> Means:
    """Return what to begin with."""
    return Means(device, tile, _GPU_BATCH if device.type == "cuda" else 1)


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
    if side // 2 >= _LEAST_TILE:
        return replace(means, tile=side // 2)
    if means.device.type != "cpu":
        return Means(torch.device("cpu"), "auto", 1)
    raise torch.OutOfMemoryError(
        f"An image of {shape[0]} x {shape[1]} pixels does not fit into the memory, "
        f"not even in tiles of {side}."
    )
