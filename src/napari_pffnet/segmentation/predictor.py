"""A network, where and in which arithmetic it runs.

Nothing here knows how the network finds objects: it gives boxes, masks on grids
that span them, classes, scores and qualities, and perhaps a semantic map.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from napari_pffnet.pffnet.norms import holding
from napari_pffnet.pffnet.structures import Detections, NetworkOutput

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray
    from torch import nn

    from napari_pffnet.config import Precision
    from napari_pffnet.pffnet.norms import Moments

XYXY = tuple[float, float, float, float]
"""x0, y0, x1, y1, pixels."""


@dataclass(frozen=True, slots=True)
class TileOutput:
    """What the network says of one tile.

    Attributes
    ----------
    detections
        Float32, in pixels of the tile; on the CPU but for the mask logits.
    semantic_logits
        (C + 1, Y, X), or None.  Both logits stay where the network computed them.
    """

    detections: Detections
    semantic_logits: Tensor | None


@dataclass(frozen=True, slots=True)
class Predictor:
    """A network, where it runs, in which arithmetic, and how many tiles at once.

    Attributes
    ----------
    norms
        Statistics that its norms use instead of their own, see `pffnet.norms`.
    """

    network: nn.Module
    device: torch.device
    dtype: torch.dtype
    batch: int = 1
    norms: Mapping[str, Moments] = field(default_factory=dict)

    def __call__(
        self,
        *images: NDArray[np.float32],
        least_score: float = 0.0,
        regions: Sequence[XYXY] | None = None,
    ) -> list[TileOutput]:
        """Run images through the network.

        Parameters
        ----------
        images
            (Y, X, C) in [0, 1], all of one size.
        least_score, regions
            Candidates of a lower score, and those centred outside the region of their
            image, are not wanted: their masks cost as much as those of the others.
            What the first stage believes less is not classified either.
        """
        limits = None if regions is None else torch.tensor(regions, device=self.device)
        with self._arithmetic(), holding(self.network, self.norms):
            output: NetworkOutput = self.network(
                self._tensor(images), least_score=least_score, regions=limits
            )
        logits = output.semantic_logits
        semantic = [None] * len(images) if logits is None else list(logits)
        return [
            TileOutput(_in_float(found), part)
            for found, part in zip(output.detections, semantic, strict=True)
        ]

    def measure_norms(
        self, images: Sequence[NDArray[np.float32]]
    ) -> dict[str, Moments]:
        """Return statistics that all tiles of an image shall use: see `norms`.

        Parameters
        ----------
        images
            (Y, X, C) in [0, 1], all of one size: samples of the image.
        """
        measure = getattr(self.network, "measure_norms", None)
        if measure is None:
            return {}
        with self._arithmetic():
            moments: dict[str, Moments] = measure(self._tensor(images))
        return moments

    def _tensor(self, images: Sequence[NDArray[np.float32]]) -> Tensor:
        # A view of (B, Y, X, C) as (B, C, Y, X), as GPUs and CPUs want it;
        # on MPS it was not measured.
        pixels = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)
        if self.device.type == "mps":
            pixels = pixels.contiguous()
        return pixels.to(self.device)

    @contextmanager
    def _arithmetic(self) -> Iterator[None]:
        mixed = self.dtype != torch.float32
        arithmetic = torch.autocast(
            self.device.type,
            dtype=self.dtype if mixed else torch.bfloat16,
            enabled=mixed,
        )
        with torch.inference_mode(), arithmetic:
            yield


def choose_dtype(precision: Precision, device: torch.device) -> torch.dtype:
    """Return the arithmetic of a network.

    ``auto`` is bfloat16 on CUDA devices that have it, float16 on older ones, and
    float32 elsewhere.
    """
    if precision != "auto":
        chosen: torch.dtype = getattr(torch, precision)
        return chosen
    if device.type != "cuda":
        return torch.float32
    # torch says of older ones, too, that they support it, which they do slowly.
    native = torch.cuda.get_device_capability(device) >= (8, 0)
    return torch.bfloat16 if native else torch.float16


def _in_float(found: Detections) -> Detections:
    """Return candidates in float32, all but their masks on the CPU."""
    return Detections(
        boxes=found.boxes.float().cpu(),
        class_ids=found.class_ids.cpu(),
        scores=found.scores.float().cpu(),
        qualities=found.qualities.float().cpu(),
        mask_logits=found.mask_logits.float(),
    )
