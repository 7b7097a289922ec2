"""Crops in the fixed order of a run, gathered into batches."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from napari_pffnet.pffnet.structures import ImageTarget

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from napari_pffnet.config import TrainConfig
    from napari_pffnet.data.dataset import CropDataset
    from napari_pffnet.training.processes import Processes


@dataclass(frozen=True, slots=True)
class Batch:
    """Images and the truth about them, in few tensors.

    Each tensor that comes from another process or goes to a GPU costs its time,
    whatever its size.

    Attributes
    ----------
    images
        (B, C, Y, X) float32 in [0, 1].
    label_maps, ignore
        (B, Y, X), as those of `ImageTarget`.
    boxes, class_ids, areas
        Those of the objects of all images, one after the other.
    counts
        Number of objects of each image.
    """

    images: Tensor
    label_maps: Tensor
    ignore: Tensor
    boxes: Tensor
    class_ids: Tensor
    areas: Tensor
    counts: list[int]

    @classmethod
    def of(cls, items: Sequence[tuple[Tensor, ImageTarget]]) -> Self:
        """Gather crops, all of one size."""
        images, targets = zip(*items, strict=True)
        return cls(
            torch.stack(images),
            torch.stack([t.label_map for t in targets]),
            torch.stack([t.ignore for t in targets]),
            torch.cat([t.boxes for t in targets]),
            torch.cat([t.class_ids for t in targets]),
            torch.cat([t.areas for t in targets]),
            [len(t.boxes) for t in targets],
        )

    @property
    def targets(self) -> list[ImageTarget]:
        """One an image."""
        objects = (self.boxes, self.class_ids, self.areas)
        parts = (values.split(self.counts) for values in objects)
        return [
            ImageTarget(*target)
            for target in zip(self.label_maps, *parts, self.ignore, strict=True)
        ]

    def to(self, device: torch.device) -> Self:
        """Return the same batch on another device."""
        values = [getattr(self, field.name) for field in fields(self)]
        there: list[Any] = [
            v.to(device) if isinstance(v, Tensor) else v for v in values
        ]
        return type(self)(*there)


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
) -> Generator[list[Batch], None, None]:
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
        collate_fn=Batch.of,
    )
    batches = iter(loader)
    for _ in steps:
        yield [next(batches) for _ in range(config.accumulate)]
