"""An image through the network: whole or in tiles, at its own scale or another.

Nothing here knows how the network finds objects: it gives boxes, masks on grids
that span them, classes, scores and qualities, and perhaps a semantic map.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from napari_pffnet.data.tiling import Tile, batches, distinct
from napari_pffnet.instances import Instances
from napari_pffnet.pffnet.structures import Detections, NetworkOutput
from napari_pffnet.segmentation.result import Found
from napari_pffnet.segmentation.semantic import paint_core

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from numpy.typing import NDArray
    from torch import nn

    from napari_pffnet.config import Precision

_CUT_TRUST = 0.5
"""What the confidence of an object that a tile cuts counts against a whole one's."""


@dataclass(frozen=True, slots=True)
class TileOutput:
    """What the network says of one tile.

    Attributes
    ----------
    detections
        On the CPU, float32, in pixels of the tile.
    semantic_logits
        (C + 1, Y, X) where the network computed it, or None.
    """

    detections: Detections
    semantic_logits: Tensor | None


@dataclass(frozen=True, slots=True)
class Predictor:
    """A network, where it runs, in which arithmetic, and how many tiles at once."""

    network: nn.Module
    device: torch.device
    dtype: torch.dtype
    batch: int = 1

    def __call__(
        self, *images: NDArray[np.float32], least_score: float = 0.0
    ) -> list[TileOutput]:
        """Run (Y, X, C) images in [0, 1], all of one size, through the network.

        Candidates below ``least_score`` are not wanted: their masks cost as much as
        those of the others.
        """
        # A view of (B, Y, X, C) as (B, C, Y, X): channels last, as GPUs like it.
        pixels = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)
        if self.device.type != "cuda":
            pixels = pixels.contiguous()
        mixed = self.dtype != torch.float32
        arithmetic = torch.autocast(
            self.device.type,
            dtype=self.dtype if mixed else torch.bfloat16,
            enabled=mixed,
        )
        with torch.inference_mode(), arithmetic:
            output: NetworkOutput = self.network(
                pixels.to(self.device), least_score=least_score
            )
        logits = output.semantic_logits
        semantic = [None] * len(images) if logits is None else list(logits)
        return [
            TileOutput(_in_float(found), part)
            for found, part in zip(output.detections, semantic, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class Scaled:
    """An image as the network sees it.

    Attributes
    ----------
    pixels
        (Y, X, C) float32 in [0, 1].
    shape
        (Y, X) of the image as given.
    """

    pixels: NDArray[np.float32]
    shape: tuple[int, int]

    @property
    def factors(self) -> tuple[float, float]:
        """Pixels of the image a pixel of the network's, along y and x."""
        y, x = (a / b for a, b in zip(self.shape, self.pixels.shape[:2], strict=True))
        return y, x


@dataclass(frozen=True, slots=True)
class _Part:
    """Candidates of one tile, all of them whole or all of them cut by it.

    Attributes
    ----------
    instances
        In pixels of the image as given.
    tile
        That saw them.
    trust
        Their confidence counts by so much where two tiles found an object both.
    """

    instances: Instances
    tile: Tile
    trust: float


def choose_dtype(precision: Precision, device: torch.device) -> torch.dtype:
    """Return the arithmetic of the network: ``auto`` is bfloat16 on CUDA."""
    if precision != "auto":
        chosen: torch.dtype = getattr(torch, precision)
        return chosen
    return torch.bfloat16 if device.type == "cuda" else torch.float32


def rescale(image: NDArray[np.float32], scale: float) -> Scaled:
    """Resize a (Y, X, C) image by ``scale``; 1 leaves it as it is.

    Pixels are areas, so coordinates of the result times `Scaled.factors` are
    coordinates of the image, without half a pixel between them.
    """
    height, width, _ = image.shape
    if scale == 1:
        return Scaled(image, (height, width))
    size = [max(1, round(height * scale)), max(1, round(width * scale))]
    pixels = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
    resized = functional.interpolate(
        pixels[None], size, mode="bilinear", antialias=True, align_corners=False
    )
    return Scaled(resized[0].clamp(0, 1).numpy().transpose(1, 2, 0), (height, width))


def find_in_tiles(
    scaled: Scaled,
    tiles: Sequence[Tile],
    predictor: Predictor,
    *,
    slack: float,
    known: TileOutput | None = None,
) -> Generator[int, None, Found]:
    """Send all tiles through the network; yield how many are done.

    Parameters
    ----------
    scaled
        The image.
    tiles
        Cut from ``scaled.pixels``.
    predictor
        The network.
    slack
        See `Tile.owns`.
    known
        What the network says of the only tile, where that is known already.
    """
    parts: list[_Part] = []
    semantic: NDArray[np.uint8] | None = None
    for batch in batches(tiles, predictor.batch):
        seen = (scaled.pixels[tile.slices] for tile in batch)
        outputs = predictor(*seen) if known is None else [known]
        for tile, output in zip(batch, outputs, strict=True):
            parts += _parts(output.detections, tile, scaled, slack)
            if output.semantic_logits is not None:
                if semantic is None:
                    semantic = np.zeros(scaled.shape, np.uint8)
                paint_core(semantic, output.semantic_logits, tile, scaled.factors)
        yield len(parts) // 2
    return Found(_join(parts), semantic)


def to_instances(found: Detections, shape: tuple[int, int]) -> Instances:
    """Turn candidates of a network into pixels of an image of ``shape`` (Y, X)."""
    return Instances.from_mask_grids(
        found.mask_logits.sigmoid().numpy(),
        found.boxes.numpy(),
        found.class_ids.numpy(),
        found.scores.numpy(),
        found.qualities.numpy(),
        shape,
    )


def _parts(found: Detections, tile: Tile, scaled: Scaled, slack: float) -> list[_Part]:
    """Take the candidates that a tile owns: those it shows whole, those it cuts."""
    boxes = found.boxes + found.boxes.new_tensor([tile.x.start, tile.y.start] * 2)
    owned = tile.owns(boxes.numpy(), slack=slack)
    cut = tile.cuts(boxes.numpy())
    y, x = scaled.factors
    placed = replace(found, boxes=boxes * boxes.new_tensor([x, y, x, y]))
    return [
        _Part(
            to_instances(placed.select(torch.from_numpy(chosen)), scaled.shape),
            tile,
            trust,
        )
        for chosen, trust in ((owned & ~cut, 1.0), (owned & cut, _CUT_TRUST))
    ]


def _join(parts: Sequence[_Part]) -> Instances:
    """Join the candidates of all tiles; of those found twice the better stay."""
    joined = Instances.concat([part.instances for part in parts])
    numbers = {tile: i for i, tile in enumerate({part.tile: None for part in parts})}
    if len(numbers) == 1:
        return joined
    counts = [len(part.instances) for part in parts]
    tiles = np.repeat([numbers[part.tile] for part in parts], counts)
    trust = np.repeat([part.trust for part in parts], counts)
    return joined.select(distinct(joined, tiles, rank=joined.confidences * trust))


def _in_float(found: Detections) -> Detections:
    """Return candidates on the CPU, all but the classes float32."""
    return Detections(
        boxes=found.boxes.float().cpu(),
        class_ids=found.class_ids.cpu(),
        scores=found.scores.float().cpu(),
        qualities=found.qualities.float().cpu(),
        mask_logits=found.mask_logits.float().cpu(),
    )
