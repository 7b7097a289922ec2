"""Crops in the fixed order of a run, gathered into batches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.utils.data import DataLoader

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_pffnet.config import TrainConfig
    from napari_pffnet.data.dataset import CropDataset
    from napari_pffnet.pffnet.structures import ImageTarget


@dataclass(frozen=True, slots=True)
class Batch:
    """Images (B, C, Y, X) float32 in [0, 1] and one target an image."""

    images: Tensor
    targets: list[ImageTarget]

    def to(self, device: torch.device) -> Batch:
        """Return the same batch on another device."""
        return Batch(self.images.to(device), [t.to(device) for t in self.targets])


def iterate_batches(
    dataset: CropDataset, config: TrainConfig, first_step: int
) -> Iterator[list[Batch]]:
    """Yield what each step from ``first_step`` (from 1) to the last trains on.

    A crop depends on the seed and its index alone, and a step's crops on its
    number: a resumed run sees what an uninterrupted one would have seen.

    Parameters
    ----------
    dataset
        Source of the crops.
    config
        Batch size, accumulation, iterations, workers.
    first_step
        Number of the first step.
    """
    per_step = config.batch_size * config.accumulate
    loader = DataLoader(
        dataset,
        batch_size=config.batch_size,
        sampler=range((first_step - 1) * per_step, config.iterations * per_step),
        num_workers=config.workers,
        collate_fn=_gather,
    )
    batches = iter(loader)
    for _ in range(first_step, config.iterations + 1):
        yield [next(batches) for _ in range(config.accumulate)]


def _gather(items: list[tuple[Tensor, ImageTarget]]) -> Batch:
    """Stack crops, all of one size."""
    images, targets = zip(*items, strict=True)
    return Batch(torch.stack(images), list(targets))
