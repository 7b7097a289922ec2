from dataclasses import fields

import numpy as np
import torch

from napari_pffnet.config import TrainConfig
from napari_pffnet.data.targets import image_target
from napari_pffnet.training.batches import Batch, pass_numbers
from napari_pffnet.training.processes import Processes

DEVICE = torch.device("cpu")


def test_several_processes_share_the_passes_of_one_that_accumulates_more():
    alone = TrainConfig(accumulate=6)
    shared = TrainConfig(accumulate=2)
    for step in (1, 2, 7):
        passes = [
            pass_numbers(step, shared, Processes(DEVICE, rank, 3)) for rank in range(3)
        ]
        assert all(len(numbers) == 2 for numbers in passes)
        wanted = pass_numbers(step, alone, Processes(DEVICE))
        assert sorted(n for numbers in passes for n in numbers) == list(wanted)


def test_a_batch_gives_back_the_targets_that_it_was_made_of():
    labels = np.zeros((3, 8, 8), int)
    labels[1, :3, :4] = 2
    labels[2, 4:, 4:] = 1
    labels[2, :4, :4] = 2
    hidden = np.zeros((8, 8), bool)
    hidden[7] = True
    classes = np.array([0, 3, 1])
    targets = [
        image_target(one, class_ids_by_label=classes, ignore=hidden) for one in labels
    ]
    images = torch.rand(3, 2, 8, 8)
    batch = Batch.of(list(zip(images, targets, strict=True))).to(DEVICE)
    assert torch.equal(batch.images, images)
    assert [len(target.boxes) for target in batch.targets] == [0, 1, 2]
    for found, wanted in zip(batch.targets, targets, strict=True):
        for field in fields(wanted):
            assert torch.equal(getattr(found, field.name), getattr(wanted, field.name))
