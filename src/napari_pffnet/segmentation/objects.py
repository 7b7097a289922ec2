"""The objects of a plane: their size, the scale, the tiles, the network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from napari_pffnet.data.tiling import (
    Tile,
    context_margin,
    least_tile,
    make_tiles,
    spread_windows,
)
from napari_pffnet.instances import Instances
from napari_pffnet.segmentation import diameter as sizes
from napari_pffnet.segmentation.assembly import Assembly
from napari_pffnet.segmentation.background import is_background
from napari_pffnet.segmentation.memory import is_out_of_memory
from napari_pffnet.segmentation.result import Found, TileDone
from napari_pffnet.segmentation.tiles import TileFound, find_in_tiles, found_in
from napari_pffnet.segmentation.view import Plane, Scaled, Window

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_pffnet.config import CheckpointInfo
    from napari_pffnet.pffnet.norms import Moments
    from napari_pffnet.segmentation.assembly import ClassMap
    from napari_pffnet.segmentation.predictor import Predictor, TileOutput

TileSize = Literal["auto"] | int
"""Side of the tiles in pixels; 0: none."""

WHOLE_UP_TO = 1.5
"""Images up to so many times the tile size stay whole."""
_NORM_SIDE = 512
"""Side of the windows that the statistics of all tiles come from, pixels."""
_NORM_WINDOWS = 9
"""How many of them; on a mosaic of 1248 x 1248 four of them brought the agreement of
tiles of 256 with the whole from AJI 0.977 to 0.991, all of the image to 0.997."""
_NORM_CANDIDATES = 25
"""How many are read to find some that show more than background."""


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
class Plan:
    """Which tiles go through the network, and at what scale.

    Attributes
    ----------
    scaled
        The plane as the network will see it.
    tiles
        Cut from it.
    slack
        See `Tile.owns`.
    skip_background
        Spare the network tiles that hold nothing but an even background.
    diameter
        Given or estimated, pixels of the plane as given; None if unknown.
    side
        Of the tiles; 0: there is one, the whole.
    norms
        Statistics that all tiles share, see `pffnet.norms`.
    """

    scaled: Scaled
    tiles: tuple[Tile, ...]
    slack: float
    skip_background: bool
    diameter: float | None
    side: int
    norms: Mapping[str, Moments]


Finder = Callable[[Plan, Sequence[int]], Iterator[tuple[int, TileFound]]]
"""Finds what the tiles of a plan with these numbers show, in any order."""
FinderWrap = Callable[[Finder], Finder]
"""Changes how tiles are found: keeps them, or runs them elsewhere."""


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


def nothing(shape: tuple[int, int]) -> Outcome:
    """Return that an image of ``shape`` (Y, X) holds no objects."""
    return Outcome(Found(Instances.empty(shape), None), None, 1.0, 0)


def local_finder(predictor: Predictor) -> Finder:
    """Return what runs the tiles through the network in this process."""

    def find(plan: Plan, numbers: Sequence[int]) -> Iterator[tuple[int, TileFound]]:
        found = find_in_tiles(
            plan.scaled,
            [plan.tiles[number] for number in numbers],
            replace(predictor, norms=plan.norms),
            slack=plan.slack,
            skip_background=plan.skip_background and len(plan.tiles) > 1,
        )
        return zip(numbers, found, strict=True)

    return find


def find_objects(
    plane: Plane,
    predictor: Predictor,
    info: CheckpointInfo,
    *,
    diameter: Literal["auto"] | float,
    tile: TileSize,
    skip_background: bool,
    wrap: FinderWrap | None = None,
    classes: ClassMap | None = None,
) -> Generator[TileDone, None, Outcome]:
    """Find the objects of a plane.

    Parameters
    ----------
    plane
        What the network sees.
    predictor
        The network.
    info
        What it was trained on.
    diameter
        Of the objects in pixels, or ``"auto"``: found by a first quick look.
    tile
        Side of the tiles; ``"auto"``: as validated, for large images only.
    skip_background
        Spare the network tiles that hold nothing but an even background.
    wrap
        Changes how the tiles are found, which is in this process by ``predictor``.
    classes
        Where the class map goes, see `Assembly`.
    """
    if diameter == "auto":
        side = _tile_side(tile, plane.shape, info, 0)
        if skip_background and _shows_nothing(plane, side):
            estimate = _Estimate(None)
        else:
            estimate = yield from _estimate(plane, predictor, info, side)
    else:
        estimate = _Estimate(float(diameter))
    plan = _plan(
        plane, predictor, info, estimate.diameter, tile, skip_background=skip_background
    )
    assembly = Assembly(plane.shape, classes)
    total = estimate.looks + len(plan.tiles)
    finder = local_finder(predictor)
    finder = finder if wrap is None else wrap(finder)
    for done, (number, found) in enumerate(_found(plan, estimate, finder)):
        assembly.add(number, found)
        yield TileDone(estimate.looks + done + 1, total)
    return Outcome(assembly.finish(), plan.diameter, plan.scaled.scale, plan.side)


def _plan(
    plane: Plane,
    predictor: Predictor,
    info: CheckpointInfo,
    diameter: float | None,
    tile: TileSize,
    *,
    skip_background: bool,
) -> Plan:
    scale = sizes.choose_scale(diameter, info)
    scaled = Scaled(plane, scale)
    margin = context_margin((diameter or info.diameter) * scale)
    side = _tile_side(tile, scaled.shape, info, margin)
    tiles = make_tiles(scaled.shape, tile=side, margin=margin)
    return Plan(
        scaled,
        tuple(tiles),
        margin / 2,
        skip_background,
        diameter,
        side,
        norms=_common_norms(scaled, predictor) if len(tiles) > 1 else {},
    )


def _common_norms(scaled: Scaled, predictor: Predictor) -> dict[str, Moments]:
    """Return statistics for all tiles, from windows all over the plane.

    From what there is to look at, if there is any, as in training.
    """
    windows = spread_windows(scaled.shape, side=_NORM_SIDE, most=_NORM_CANDIDATES)
    samples = [scaled.read(*window) for window in windows]
    busy = [sample for sample in samples if not is_background(sample)] or samples
    chosen = np.linspace(0, len(busy) - 1, min(len(busy), _NORM_WINDOWS)).astype(int)
    while True:
        try:
            return predictor.measure_norms([busy[i] for i in chosen])
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error) or len(chosen) == 1:
                raise
        # Fewer of them still let all tiles agree with each other.
        chosen = chosen[::2]


def _found(
    plan: Plan, estimate: _Estimate, finder: Finder
) -> Iterator[tuple[int, TileFound]]:
    """Run the tiles, but for the only one whose output is known already."""
    if estimate.whole is not None and plan.scaled.scale == 1 and len(plan.tiles) == 1:
        tile = plan.tiles[0]
        yield 0, found_in(tile, estimate.whole, plan.scaled, slack=plan.slack)
        return
    yield from finder(plan, range(len(plan.tiles)))


def _tile_side(
    tile: TileSize, shape: tuple[int, int], info: CheckpointInfo, margin: int
) -> int:
    """Return the side of the tiles, 0 for none."""
    if tile != "auto":
        return tile
    side = max(info.tile_size, least_tile(margin))
    return side if max(shape) > WHOLE_UP_TO * side else 0


def _shows_nothing(plane: Plane, side: int) -> bool:
    """Say whether even the busiest part of a plane in tiles is background.

    Magnified, noise is smooth, and each tile would be searched for what it seems to
    show.
    """
    if side == 0:
        return False
    return is_background(plane.read(*sizes.busiest_window(plane, sizes.SAMPLE)))


def _estimate(
    plane: Plane, predictor: Predictor, info: CheckpointInfo, side: int
) -> Generator[TileDone, None, _Estimate]:
    """Look at the plane at several scales and measure what is found.

    ``side`` is that of the tiles, 0 for none.
    """
    height, width = plane.shape
    is_whole = side == 0 or max(height, width) <= side
    scales = [s for s in sizes.REDUCTIONS if min(height, width) * s >= sizes.LEAST_SIDE]
    expected = 2 + len(scales)
    pixels = plane.read(slice(0, height), slice(0, width)) if is_whole else None
    whole = None if pixels is None else predictor(pixels)[0]
    looks = [_look(plane, predictor, info, 1.0, whole)]
    yield TileDone(1, expected)
    for scale in scales:
        looks.append(_look(plane, predictor, info, scale))
        yield TileDone(len(looks), expected)
    if sizes.may_be_smaller(looks, info.diameter_range):
        looks.append(_look(plane, predictor, info, sizes.MAGNIFICATION))
        yield TileDone(len(looks), expected)
    return _Estimate(sizes.estimate_diameter(looks), len(looks), whole)


def _look(
    plane: Plane,
    predictor: Predictor,
    info: CheckpointInfo,
    scale: float,
    output: TileOutput | None = None,
) -> sizes.Look:
    """Show the network the busiest part of a plane at one scale."""
    if output is not None:
        return sizes.look_at(output.detections, plane.shape, scale, info.diameter_range)
    side = sizes.SAMPLE if scale <= 1 else sizes.MAGNIFIED_SAMPLE
    part = Window(plane, *sizes.busiest_window(plane, round(side / scale)))
    window = Scaled(part, scale)
    seen = window.read(*(slice(0, n) for n in window.shape))
    (output,) = predictor(seen, least_score=sizes.LEAST_SCORE)
    return sizes.look_at(output.detections, window.shape, scale, info.diameter_range)
