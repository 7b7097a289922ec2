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
    from napari_pffnet.training.processes import Processes


@dataclass(frozen=True, slots=True)
class Batch:
    """Images (B, C, Y, X) float32 in [0, 1] and one target an image."""

    images: Tensor
    targets: list[ImageTarget]

    def to(self, device: torch.device) -> Batch:
        """Return the same batch on another device."""
        return Batch(self.images.to(device), [t.to(device) for t in self.targets])


def pass_numbers(step: int, config: TrainConfig, processes: Processes) -> range:
    """Return the numbers, from 0, of the forward passes of this process at a step.

    The passes of a step are dealt out one by one, so that ``n`` processes take
    together what a single one takes with ``n`` times ``config.accumulate``.
    """
    per_step = config.accumulate * processes.count
    first = (step - 1) * per_step + processes.rank
    return range(first, step * per_step, processes.count)


def iterate_batches(
    dataset: CropDataset, config: TrainConfig, first_step: int, processes: Processes
) -> Iterator[list[Batch]]:
    """Yield what each step from ``first_step`` (from 1) to the last trains on.

    A crop depends on the seed and its index alone, and a pass's crops on its
    number: a resumed run sees what an uninterrupted one would have seen.

    Parameters
    ----------
    dataset
        Source of the crops.
    config
        Batch size, accumulation, iterations, workers.
    first_step
        Number of the first step.
    processes
        Each has crops of its own.
    """
    steps = range(first_step, config.iterations + 1)
    size = config.batch_size
    loader = DataLoader(
        dataset,
        batch_sampler=(
            list(range(number * size, (number + 1) * size))
            for step in steps
            for number in pass_numbers(step, config, processes)
        ),
        num_workers=config.workers,
        collate_fn=_gather,
    )
    batches = iter(loader)
    for _ in steps:
        yield [next(batches) for _ in range(config.accumulate)]


def _gather(items: list[tuple[Tensor, ImageTarget]]) -> Batch:
    """Stack crops, all of one size."""
    images, targets = zip(*items, strict=True)
    return Batch(torch.stack(images), list(targets))
