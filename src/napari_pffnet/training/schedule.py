"""Optimizer and learning rate, both functions of the configuration alone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from napari_pffnet.config import TrainConfig


def learning_rate(step: int, config: TrainConfig) -> float:
    """Return the learning rate of a step.

    Parameters
    ----------
    step
        From 1 to ``config.iterations``.
    config
        Linear warm-up over ``warmup`` steps, at most a fifth of the run, then
        ``step`` (x 0.1 at 3/4 of the run, section IV of the paper), ``cosine``
        (to 0) or ``constant``.
    """
    # A short run would else end before it has come to its learning rate.
    warmup = min(config.warmup, config.iterations // 5)
    if step <= warmup:
        return config.learning_rate * step / warmup
    if config.schedule == "constant":
        return config.learning_rate
    if config.schedule == "step":
        late = step > 0.75 * config.iterations
        return config.learning_rate * (0.1 if late else 1.0)
    left = max(config.iterations - warmup, 1)
    progress = min((step - warmup - 1) / left, 1.0)
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * progress))


def build_optimizer(network: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """Return the optimizer; norms and biases are not decayed.

    Parameters
    ----------
    network
        Its parameters with ``requires_grad`` are trained.
    config
        Optimizer, momentum and weight decay.
    """
    trained = [p for p in network.parameters() if p.requires_grad]
    groups = [
        {
            "params": [p for p in trained if p.ndim > 1],
            "weight_decay": config.weight_decay,
        },
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if config.optimizer == "sgd":
        return torch.optim.SGD(
            groups, lr=config.learning_rate, momentum=config.momentum
        )
    return torch.optim.AdamW(groups, lr=config.learning_rate, fused=True)


def set_learning_rate(optimizer: torch.optim.Optimizer, value: float) -> None:
    """Give all groups of the optimizer one learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = value
