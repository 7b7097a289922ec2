import torch

from napari_pffnet.config import TrainConfig
from napari_pffnet.training.batches import pass_numbers
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
