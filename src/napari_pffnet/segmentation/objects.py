"""The objects of a prepared image: their size, the scale, the tiles, the network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from napari_pffnet.data.tiling import context_margin, least_tile, make_tiles
from napari_pffnet.instances import Instances
from napari_pffnet.segmentation import diameter as sizes
from napari_pffnet.segmentation.inference import (
    Predictor,
    TileOutput,
    find_in_tiles,
    rescale,
)
from napari_pffnet.segmentation.result import Found, TileDone

if TYPE_CHECKING:
    from collections.abc import Generator

    import numpy as np
    from numpy.typing import NDArray

    from napari_pffnet.config import CheckpointInfo

TileSize = Literal["auto"] | int
"""Side of the tiles in pixels; 0: none."""

WHOLE_UP_TO = 1.5
"""Images up to so many times the tile size stay whole."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was found, and how.

    Attributes
    ----------
    found
        In pixels of the image as given.
    diameter
        Given or estimated, pixels of the image as given; None if unknown.
    scale
        Pixels of the network a pixel of the image.
    tile
        Side of the tiles, pixels of the network; 0: none.
    """

    found: Found
    diameter: float | None
    scale: float
    tile: int


@dataclass(frozen=True, slots=True)
class _Estimate:
    """Size of the objects, how many looks it took, and what they were worth.

    Attributes
    ----------
    diameter
        Pixels of the image as given; None where nothing was found.
    looks
        How often the network ran.
    whole
        Its output for the whole image at its own scale, if that was one look.
    """

    diameter: float | None
    looks: int = 0
    whole: TileOutput | None = None


def nothing(shape: tuple[int, ...]) -> Outcome:
    """Return that an image of ``shape`` (Y, X, ...) holds no objects."""
    found = Found(Instances.empty((shape[0], shape[1])), None)
    return Outcome(found, None, 1.0, 0)


def find_objects(
    pixels: NDArray[np.float32],
    predictor: Predictor,
    info: CheckpointInfo,
    diameter: Literal["auto"] | float,
    tile: TileSize,
) -> Generator[TileDone, None, Outcome]:
    """Find the objects of an image.

    Parameters
    ----------
    pixels
        (Y, X, C) float32 in [0, 1].
    predictor
        The network.
    info
        What the network was trained on.
    diameter
        Of the objects in pixels, or ``"auto"``: found by a first quick look.
    tile
        Side of the tiles; ``"auto"``: as validated, for large images only.
    """
    if diameter == "auto":
        estimate = yield from _estimate(pixels, predictor, info, tile)
    else:
        estimate = _Estimate(float(diameter))
    scale = sizes.choose_scale(estimate.diameter, info.diameter, info.diameter_range)
    scaled = rescale(pixels, scale)
    margin = context_margin((estimate.diameter or info.diameter) * scale)
    side = _tile_side(tile, scaled.pixels.shape, info, margin)
    tiles = make_tiles(scaled.pixels.shape[:2], tile=side, margin=margin)
    steps = find_in_tiles(
        scaled,
        tiles,
        predictor,
        slack=margin / 2,
        known=estimate.whole if scale == 1 and len(tiles) == 1 else None,
    )
    total = estimate.looks + len(tiles)
    while True:
        try:
            yield TileDone(estimate.looks + next(steps), total)
        except StopIteration as stop:
            return Outcome(stop.value, estimate.diameter, scale, side)


def _tile_side(
    tile: TileSize, shape: tuple[int, ...], info: CheckpointInfo, margin: int
) -> int:
    """Return the side of the tiles, 0 for none."""
    if tile != "auto":
        return tile
    side = max(info.tile_size, least_tile(margin))
    return side if max(shape[:2]) > WHOLE_UP_TO * side else 0


def _estimate(
    pixels: NDArray[np.float32],
    predictor: Predictor,
    info: CheckpointInfo,
    tile: TileSize,
) -> Generator[TileDone, None, _Estimate]:
    """Look at the image at several scales and measure what is found."""
    height, width, _ = pixels.shape
    side = _tile_side(tile, pixels.shape, info, 0)
    is_whole = side == 0 or max(height, width) <= side
    scales = [s for s in sizes.REDUCTIONS if min(height, width) * s >= sizes.LEAST_SIDE]
    expected = 2 + len(scales)
    whole = predictor(pixels)[0] if is_whole else None
    looks = [_look(pixels, predictor, info, 1.0, whole)]
    yield TileDone(1, expected)
    for scale in scales:
        looks.append(_look(pixels, predictor, info, scale))
        yield TileDone(len(looks), expected)
    if sizes.may_be_smaller(looks, info.diameter_range):
        looks.append(_look(pixels, predictor, info, sizes.MAGNIFICATION))
        yield TileDone(len(looks), expected)
    return _Estimate(sizes.estimate_diameter(looks), len(looks), whole)


def _look(
    pixels: NDArray[np.float32],
    predictor: Predictor,
    info: CheckpointInfo,
    scale: float,
    output: TileOutput | None = None,
) -> sizes.Look:
    """Show the network the busiest part of an image at one scale."""
    if output is not None:
        shape = (pixels.shape[0], pixels.shape[1])
        return sizes.look_at(output.detections, shape, scale, info.diameter_range)
    side = sizes.SAMPLE if scale <= 1 else sizes.MAGNIFIED_SAMPLE
    window = sizes.busiest_window(pixels, round(side / scale))
    seen = rescale(pixels[window], scale).pixels
    (output,) = predictor(seen, least_score=sizes.LEAST_SCORE)
    return sizes.look_at(output.detections, seen.shape[:2], scale, info.diameter_range)
