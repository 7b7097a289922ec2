"""The processes that train one network together, when ``torchrun`` starts several.

All take the same steps at the same time, each on crops of its own; they only meet
where the gradient, the losses and the scores are put together.
"""

from __future__ import annotations

import atexit
import os
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from napari_pffnet.weights import resolve_device

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager

_T = TypeVar("_T")


class StoppedByFirst(Exception):
    """The first process has ended the run."""


@dataclass(frozen=True, slots=True)
class Processes:
    """A process among those of a run.

    Every method but `stop` has to be called by all of them.

    Attributes
    ----------
    device
        Where this process computes.
    rank, count
        Number of this process, from 0, and of all.  Only the first writes files.
    """

    device: torch.device
    rank: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    def connect(self, network: nn.Module) -> nn.Module:
        """Return the network with the gradient averaged over the processes."""
        return network if self.count == 1 else DistributedDataParallel(network)

    def delay_average(self, network: nn.Module) -> AbstractContextManager[None]:
        """Keep the gradients apart in this pass; a later one averages their sum."""
        if isinstance(network, DistributedDataParallel):
            delayed: AbstractContextManager[None] = network.no_sync()
            return delayed
        return nullcontext()

    def mean(self, values: Mapping[str, float]) -> dict[str, float]:
        """Return the mean of each value over the processes, the same in all."""
        if self.count == 1:
            return dict(values)
        sums = torch.tensor(list(values.values()), dtype=torch.float64)
        distributed.all_reduce(sums)
        return dict(zip(values, (sums / self.count).tolist(), strict=True))

    def share(self, items: Sequence[_T]) -> Sequence[_T]:
        """Return the items that fall to this process."""
        return items[self.rank :: self.count]

    def gather(self, mine: Sequence[_T]) -> Sequence[_T]:
        """Return the items of all processes in the order before they were shared."""
        if self.count == 1:
            return mine
        parts: list[Sequence[_T]] = [[] for _ in range(self.count)]
        distributed.all_gather_object(parts, mine)
        total = sum(len(part) for part in parts)
        return [parts[i % self.count][i // self.count] for i in range(total)]

    def go_on(self) -> None:
        """Wait for the first process; raise `StoppedByFirst` if it has stopped."""
        if self.count > 1 and not self._told(is_going_on=True):
            raise StoppedByFirst

    def stop(self) -> None:
        """Let the first process tell the others, in their next `go_on`, to stop."""
        if self.count > 1 and self.is_first:
            self._told(is_going_on=False)

    def _told(self, *, is_going_on: bool) -> bool:
        """Return what the first process says."""
        word = torch.tensor(is_going_on)
        distributed.broadcast(word, src=0)
        return bool(word)


def join_processes(device: str) -> Processes:
    """Join the other processes of this run, where ``torchrun`` started them.

    Parameters
    ----------
    device
        As in :func:`~napari_pffnet.weights.resolve_device`; each process takes the
        CUDA device of its own number.

    Raises
    ------
    ValueError
        If the device is absent, or there are more processes than CUDA devices.
    """
    target = resolve_device(device)
    launched = distributed.is_available() and distributed.is_torchelastic_launched()
    count = int(os.environ["WORLD_SIZE"]) if launched else 1
    if count == 1:
        return Processes(target)
    target = _own_device(target, int(os.environ["LOCAL_RANK"]))
    # Once for all runs of a program: to join a second time would wait for ever.
    if not distributed.is_initialized():
        # What is small goes from CPU to CPU, so that no GPU has to wait for it.
        has_nccl = torch.cuda.is_available() and distributed.is_nccl_available()
        distributed.init_process_group("cpu:gloo,cuda:nccl" if has_nccl else "gloo")
        atexit.register(distributed.destroy_process_group)
    return Processes(target, distributed.get_rank(), count)


def _own_device(device: torch.device, number: int) -> torch.device:
    """Return the device of the process of this number on this machine."""
    if device.type == "cpu":
        return device
    if device.type != "cuda":
        raise ValueError(
            f"Several processes train on CPUs or CUDA devices, not on {device.type}; "
            "use device='cpu', or one process."
        )
    if number >= torch.cuda.device_count():
        raise ValueError(
            f"Process {number + 1} of this machine finds {torch.cuda.device_count()} "
            "CUDA devices; start one process a device with --nproc-per-node."
        )
    own = torch.device("cuda", number)
    torch.cuda.set_device(own)
    return own
