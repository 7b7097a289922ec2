"""How much memory there is, and how its end shows."""

from __future__ import annotations

import psutil
import torch

_CPU_WORDS = (
    "can't allocate memory",
    "bad_alloc",
    # Of oneDNN, which computes convolutions.
    "could not create a primitive",
    "could not create a memory object",
)


def free_memory(device: torch.device | None = None) -> int:
    """Return how many bytes a device has free; by default the computer."""
    if device is not None and device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return int(psutil.virtual_memory().available)


def is_out_of_memory(error: Exception) -> bool:
    """Say whether an error means that memory ended, on whatever device.

    torch has no type of its own for that on a CPU.
    """
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(
        words in str(error) for words in _CPU_WORDS
    )
