"""The arithmetic of a training run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from napari_pffnet.config import Precision


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """Type of the forward pass, and whether the loss must be scaled for it."""

    device: torch.device
    dtype: torch.dtype

    @property
    def scales_loss(self) -> bool:
        """Whether gradients would underflow without a loss scale."""
        return self.dtype == torch.float16

    def autocast(self) -> torch.autocast:
        """Return the context of a forward pass."""
        mixed = self.dtype != torch.float32
        return torch.autocast(
            self.device.type,
            dtype=self.dtype if mixed else torch.bfloat16,
            enabled=mixed,
        )


def choose_arithmetic(precision: Precision, device: torch.device) -> Arithmetic:
    """Return the arithmetic of a run.

    Parameters
    ----------
    precision
        ``"auto"`` is bfloat16 on CUDA devices that have it, float16 on other
        CUDA devices, and float32 elsewhere.
    device
        Where the network trains.

    Raises
    ------
    ValueError
        If float16 is asked for where no gradient scaler works.
    """
    if precision == "float16" and device.type != "cuda":
        raise ValueError(
            f"precision 'float16' trains on CUDA only, not on {device.type}; "
            "use 'bfloat16', 'float32' or 'auto'."
        )
    if precision != "auto":
        return Arithmetic(device, getattr(torch, precision))
    if device.type != "cuda":
        return Arithmetic(device, torch.float32)
    native = torch.cuda.get_device_capability(device) >= (8, 0)
    return Arithmetic(device, torch.bfloat16 if native else torch.float16)
