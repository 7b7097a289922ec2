"""The tiles of a plane through the network, one after the other."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from napari_pffnet.instances import Instances
from napari_pffnet.segmentation.background import busy_part, is_background
from napari_pffnet.segmentation.masks import to_instances
from napari_pffnet.segmentation.semantic import ClassPatch, classes_of_core

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from napari_pffnet.data.tiling import Tile
    from napari_pffnet.segmentation.predictor import Predictor, TileOutput
    from napari_pffnet.segmentation.view import Scaled


_OBJECTS_ACROSS = 4
"""Of a tile that is trimmed, at least: what is even all across it lies in no object."""


@dataclass(frozen=True, slots=True)
class TileFound:
    """What one tile gives, in pixels of the plane.

    Attributes
    ----------
    extent
        y0, x0, y1, x1 of what it sees.
    whole, cut
        Candidates that it owns: those that it shows whole, and those it cuts.
    classes
        The class map of its core, or None without a semantic branch.
    """

    extent: tuple[int, int, int, int]
    whole: Instances
    cut: Instances
    classes: ClassPatch | None

    @classmethod
    def nothing(cls, tile: Tile, scaled: Scaled) -> TileFound:
        """Return that a tile holds no objects."""
        none = Instances.empty(scaled.plane.shape)
        return cls(_extent(tile, scaled), none, none, None)


def find_in_tiles(
    scaled: Scaled,
    tiles: Sequence[Tile],
    predictor: Predictor,
    *,
    slack: float,
    skip_background: bool,
) -> Generator[TileFound, None, None]:
    """Send tiles through the network in their order; the next is read meanwhile.

    Parameters
    ----------
    scaled
        The plane.
    tiles
        Cut from ``scaled``.
    predictor
        The network.
    slack
        See `Tile.owns`.
    skip_background
        Spare the network tiles that hold nothing but an even background.
    """
    # The slack is half of what tiles see around their cores.
    margin = round(2 * slack) if skip_background else None
    seen = _read_ahead(scaled, tiles, margin)
    for batch in _batches(seen, predictor.batch):
        if batch[0].is_background:
            yield TileFound.nothing(batch[0].tile, scaled)
            continue
        outputs = predictor(
            *(one.pixels for one in batch),
            regions=[one.tile.owned_region(slack=slack) for one in batch],
        )
        for one, output in zip(batch, outputs, strict=True):
            yield found_in(one.tile, output, scaled, slack=slack)


def found_in(
    tile: Tile, output: TileOutput, scaled: Scaled, *, slack: float
) -> TileFound:
    """Take what a tile owns of the network's output, in pixels of the plane."""
    found, shape = output.detections, scaled.plane.shape
    boxes = found.boxes + found.boxes.new_tensor([tile.x.start, tile.y.start] * 2)
    owned = tile.owns(boxes.numpy(), slack=slack)
    cut = tile.cuts(boxes.numpy())
    y, x = scaled.factors
    placed = replace(found, boxes=boxes * boxes.new_tensor([x, y, x, y]))
    whole, part = (
        to_instances(placed.select(torch.from_numpy(chosen)), shape)
        for chosen in (owned & ~cut, owned & cut)
    )
    logits = output.semantic_logits
    return TileFound(
        _extent(tile, scaled),
        whole,
        part,
        None if logits is None else classes_of_core(logits, tile, scaled),
    )


def _extent(tile: Tile, scaled: Scaled) -> tuple[int, int, int, int]:
    """Return what a tile sees, rounded to pixels of the plane."""
    y, x = scaled.factors
    return (
        round(tile.y.start * y),
        round(tile.x.start * x),
        round(tile.y.stop * y),
        round(tile.x.stop * x),
    )


@dataclass(frozen=True, slots=True)
class _Seen:
    """A tile and its pixels."""

    tile: Tile
    pixels: NDArray[np.float32]
    is_background: bool


def _read_ahead(
    scaled: Scaled, tiles: Sequence[Tile], margin: int | None
) -> Iterator[_Seen]:
    """Read tile after tile, each while the one before it is at work.

    Unless ``margin`` is None, background is left out but for so many pixels around what
    there is to see.
    """

    def read(tile: Tile) -> _Seen:
        pixels = scaled.read(*tile.slices)
        if margin is None:
            return _Seen(tile, pixels, is_background=False)
        if is_background(pixels):
            return _Seen(tile, pixels, is_background=True)
        if min(pixels.shape[:2]) >= _OBJECTS_ACROSS * margin:
            return _trimmed(tile, pixels, margin)
        return _Seen(tile, pixels, is_background=False)

    with ThreadPoolExecutor(1, "reading") as reader:
        coming = reader.submit(read, tiles[0])
        for tile in tiles[1:]:
            ready, coming = coming, reader.submit(read, tile)
            yield ready.result()
        yield coming.result()


def _trimmed(tile: Tile, pixels: NDArray[np.float32], margin: int) -> _Seen:
    trimmed = tile.trim(*busy_part(pixels, margin))
    y, x = trimmed.y.start - tile.y.start, trimmed.x.start - tile.x.start
    height, width = trimmed.shape
    seen = pixels[y : y + height, x : x + width]
    return _Seen(trimmed, seen, is_background=False)


def _batches(tiles: Iterable[_Seen], most: int) -> Iterator[list[_Seen]]:
    """Group neighbours of equal shape, at most ``most``; background stays alone."""
    batch: list[_Seen] = []
    for one in tiles:
        full = len(batch) == most or one.is_background
        if batch and (full or one.pixels.shape != batch[0].pixels.shape):
            yield batch
            batch = []
        if one.is_background:
            yield [one]
        else:
            batch.append(one)
    if batch:
        yield batch
