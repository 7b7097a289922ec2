"""The arithmetic of a training run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from napari_pffnet.segmentation.predictor import choose_dtype

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
        See `choose_dtype`.
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
    return Arithmetic(device, choose_dtype(precision, device))
