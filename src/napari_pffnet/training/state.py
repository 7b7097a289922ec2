"""Everything that a killed run needs to go on as if nothing had happened.

One safetensors file, written atomically; what is not a tensor is JSON in its
metadata.  The one before it is kept for the case that the newest is damaged.
"""

from __future__ import annotations

import json
import logging
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from napari_pffnet.catalog import SUFFIX
from napari_pffnet.config import Recipe, Thresholds
from napari_pffnet.files import remove_parts
from napari_pffnet.training.steps import SetScores
from napari_pffnet.weights import read_tensors, write_tensors

if TYPE_CHECKING:
    from pathlib import Path

    from torch.optim.swa_utils import AveragedModel

logger = logging.getLogger("napari_pffnet")


class Progress(BaseModel):
    """How far a run has come.

    Attributes
    ----------
    step
        Steps done.
    validated
        Step of the last validation.
    seconds
        Time trained.
    best_step, best_score, score_threshold, best_scores
        The best validation so far; 0, -1, the default and empty before the first.
    stalled
        Validations since then.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    step: int = 0
    validated: int = 0
    seconds: float = 0.0
    best_step: int = 0
    best_score: float = -1.0
    score_threshold: float = Thresholds().score
    best_scores: dict[str, SetScores] = {}
    stalled: int = 0


@dataclass(frozen=True, slots=True)
class SavedState:
    """A state read from disk.

    ``base`` names the model that the run started from: "" without one, None in states
    that do not say.
    """

    progress: Progress
    recipe: Recipe
    base: str | None
    tensors: dict[str, Tensor]
    scaler: dict[str, float]


def state_path(out: Path) -> Path:
    """Return where the newest state of a run lies."""
    return out.with_name(f"{out.stem}.state{SUFFIX}")


def previous_state_path(out: Path) -> Path:
    """Return where the state before it lies."""
    return out.with_name(f"{out.stem}.state.previous{SUFFIX}")


def remove_states(out: Path) -> None:
    """Remove what an earlier run left: nobody must resume it by mistake."""
    state_path(out).unlink(missing_ok=True)
    previous_state_path(out).unlink(missing_ok=True)


def last_path(out: Path) -> Path:
    """Return where the last weights of a run are written."""
    return out.with_name(f"{out.stem}.last{SUFFIX}")


def remove_unfinished(out: Path) -> None:
    """Remove what a killed run was writing beside the checkpoint ``out``."""
    for path in (out, last_path(out), state_path(out)):
        remove_parts(path)


def save_state(
    out: Path,
    *,
    network: nn.Module,
    average: AveragedModel | None,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    progress: Progress,
    recipe: Recipe,
    base: str,
) -> None:
    """Write the state beside the checkpoint ``out``; keep the last two."""
    tensors = {f"network/{n}": t for n, t in network.state_dict().items()}
    if average is not None:
        mean = average.module.state_dict()
        tensors |= {f"average/{n}": t for n, t in mean.items()}
    for index, slots in optimizer.state_dict()["state"].items():
        for name, value in slots.items():
            if isinstance(value, Tensor):
                tensors[f"optimizer/{index}/{name}"] = value
    metadata = {
        "progress": progress.model_dump_json(),
        "recipe": recipe.model_dump_json(),
        "scaler": json.dumps(scaler.state_dict()),
        "base": base,
    }
    newest = state_path(out)
    # A kill between these two lines leaves the previous one, which is whole.
    if newest.exists():
        os.replace(newest, previous_state_path(out))
    write_tensors(newest, tensors, metadata)


def load_state(out: Path) -> SavedState | None:
    """Read the newest whole state beside ``out``; None if no state is there.

    Raises
    ------
    ValueError
        If none of those that are there can be used.
    """
    reasons = []
    for path in (state_path(out), previous_state_path(out)):
        if not path.exists():
            continue
        try:
            return _read_state(path)
        except ValueError as error:
            logger.warning("The training state cannot be used: %s", error)
            reasons.append(str(error))
    if reasons:
        raise ValueError(
            f"No training state beside {out} can be used ({reasons[0].rstrip('.')}); "
            "start anew without resume."
        )
    return None


def restore(
    state: SavedState,
    network: nn.Module,
    average: AveragedModel | None,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
) -> None:
    """Put a state into a network of the same shape, its mean, optimizer and scaler.

    A mean that the stopped run did not have starts from its weights.
    """
    weights = _under("network/", state.tensors)
    network.load_state_dict(weights)
    if average is not None:
        average.module.load_state_dict(_under("average/", state.tensors) or weights)
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    slots: dict[int, dict[str, Tensor]] = {}
    for key, tensor in _under("optimizer/", state.tensors).items():
        index, name = key.split("/", 1)
        slot = slots.setdefault(int(index), {})
        slot[name] = _laid_out_as(parameters[int(index)], tensor)
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": slots, "param_groups": groups})
    if state.scaler:
        scaler.load_state_dict(state.scaler)


def _laid_out_as(parameter: Tensor, tensor: Tensor) -> Tensor:
    """Return a tensor in the order in memory of its parameter.

    In another one the same step rounds differently.
    """
    if tensor.shape != parameter.shape:
        return tensor
    return torch.empty_like(parameter, dtype=tensor.dtype).copy_(tensor)


def _read_state(path: Path) -> SavedState:
    """Read one state; ValueError if it is damaged."""
    content = read_tensors(path)
    try:
        return SavedState(
            Progress.model_validate_json(content.metadata["progress"]),
            Recipe.model_validate_json(content.metadata["recipe"]),
            content.metadata.get("base"),
            content.tensors,
            json.loads(content.metadata["scaler"]),
        )
    except KeyError as error:
        raise ValueError(f"{path} is a checkpoint, not a training state.") from error


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors below a prefix, without it."""
    return {
        n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)
    }
