"""The state of a training run, in memory and on disk."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from napari_pffnet.pffnet.network import PFFNet
from napari_pffnet.pffnet.quality_training import QualityTraining
from napari_pffnet.training.base import first_network
from napari_pffnet.training.log import (
    CsvLog,
    RunLog,
    curves_path,
    log_path,
    validation_log_path,
)
from napari_pffnet.training.precision import Arithmetic, choose_arithmetic
from napari_pffnet.training.record import with_progress
from napari_pffnet.training.schedule import build_optimizer
from napari_pffnet.training.state import (
    Progress,
    SavedState,
    last_path,
    load_state,
    previous_state_path,
    remove_states,
    restore,
    save_state,
    state_path,
)
from napari_pffnet.training.steps import CheckpointStep, TrainingResult
from napari_pffnet.training.tensorboard import TensorBoardLog, tensorboard_path
from napari_pffnet.weights import Model, place, save_checkpoint

if TYPE_CHECKING:
    from pathlib import Path

    from napari_pffnet.config import CheckpointInfo, Recipe, TrainConfig
    from napari_pffnet.training.processes import Processes


logger = logging.getLogger("napari_pffnet")


@dataclass
class Run:
    """What changes while a run goes on, and where it is written.

    ``connected`` is the network as it trains: among several processes, the wrapper
    that averages its gradient over them.  Only the first of them writes.  ``average``
    is the running mean of its weights over the steps, where the recipe wants one.
    ``base`` names the model that the run started from, if one.
    """

    out: Path
    recipe: Recipe
    info: CheckpointInfo
    network: nn.Module
    connected: nn.Module
    average: AveragedModel | None
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    arithmetic: Arithmetic
    processes: Processes
    progress: Progress
    base: str
    logs: tuple[RunLog, ...]
    only_best: bool = False
    started: float = field(default_factory=time.monotonic)
    saved: float = field(default_factory=time.monotonic)

    @property
    def result_network(self) -> nn.Module:
        """The network that is validated and written."""
        return self.network if self.average is None else self.average.module

    @property
    def last_path(self) -> Path:
        """Where the last weights are written."""
        return last_path(self.out)

    @property
    def seconds(self) -> float:
        """Time trained, earlier parts of a resumed run included."""
        return time.monotonic() - self.started

    @property
    def is_stalled(self) -> bool:
        """Whether the scores have not risen for too long."""
        patience = self.recipe.train.patience
        return 0 < patience <= self.progress.stalled

    @property
    def is_due(self) -> bool:
        """Whether the last step is one to validate after, and was not yet."""
        config, step = self.recipe.train, self.progress.step
        chosen = step % config.validate_every == 0 or step == config.iterations
        return chosen and step > self.progress.validated

    def advance(self, **values: object) -> None:
        """Record how far the run has come."""
        self.progress = self.progress.model_copy(update=values)

    def save(self) -> CheckpointStep:
        """Write the last weights and the state to resume from."""
        self._write(self.last_path)
        if self.processes.is_first:
            save_state(
                self.out,
                network=self.network,
                average=self.average,
                optimizer=self.optimizer,
                scaler=self.scaler,
                progress=self.progress,
                recipe=self.recipe,
                base=self.base,
            )
        self.saved = time.monotonic()
        return CheckpointStep(self.progress.step, self.last_path, is_best=False)

    def save_best(self) -> CheckpointStep:
        """Write the weights as the result."""
        self._write(self.out)
        return CheckpointStep(self.progress.step, self.out, is_best=True)

    def result(self) -> TrainingResult:
        """Return the outcome."""
        return TrainingResult(
            path=self.out,
            last_path=self.last_path,
            steps=self.progress.step,
            best_step=self.progress.best_step,
            best_scores=self.progress.best_scores,
            stopped_early=self.is_stalled,
            seconds=self.progress.seconds,
        )

    def _write(self, path: Path) -> None:
        if self.processes.is_first:
            info = with_progress(self.info, self.progress, self.processes)
            save_checkpoint(path, self.result_network, info)


def paths_beside(out: Path) -> tuple[Path, ...]:
    """Return all that a run may write beside its checkpoint, and would replace."""
    return (
        last_path(out),
        state_path(out),
        previous_state_path(out),
        log_path(out),
        validation_log_path(out),
        curves_path(out),
        tensorboard_path(out),
    )


def find_saved_state(
    out: Path, recipe: Recipe, base: Model | None
) -> SavedState | None:
    """Return the state to go on from, None where nothing was trained yet.

    Raises
    ------
    ValueError
        If a model is there but no state, none of the states can be used, or they are
        of a run with another network or base.
    """
    saved = load_state(out)
    if saved is None:
        if out.exists():
            raise ValueError(
                f"{out} exists and no training state is beside it to go on from; "
                "give another name, or start anew without resume."
            )
        logger.info("There is no training state beside %s; starts anew.", out)
        return None
    _check_base(out, saved.base, base)
    if saved.recipe.model != recipe.model:
        raise ValueError(
            f"The training state beside {out} is of a network of another shape; "
            "train with its recipe, or without resume."
        )
    if saved.recipe.train != recipe.train:
        logger.warning("Some training options differ from those of the stopped run.")
    return saved


def _check_base(out: Path, was: str | None, base: Model | None) -> None:
    """Make sure that a run goes on from a base, which images are read for, or none."""
    if was is not None and bool(was) != (base is not None):
        told = (
            f"from {was}; give it as the base again"
            if was
            else "without a base; give none"
        )
        raise ValueError(
            f"The run beside {out} started {told}, or start anew without resume."
        )


def start_run(
    out: Path,
    recipe: Recipe,
    info: CheckpointInfo,
    base: Model | None,
    saved: SavedState | None,
    processes: Processes,
    only_best: bool,
) -> Run:
    """Set up a run, or set it back to where it was saved."""
    device = processes.device
    arithmetic = choose_arithmetic(recipe.train.precision, device)
    network = place(first_network(recipe, base, resumed=saved is not None), device)
    average = start_average(network, recipe.train)
    trained = _trained_part(network, recipe.train)
    optimizer = build_optimizer(network, recipe.train)
    scaler = torch.amp.GradScaler(device.type, enabled=arithmetic.scales_loss)
    # A base is validated before the first step: -1 steps were so far.
    progress = Progress(validated=0 if base is None else -1)
    if saved is not None:
        restore(saved, network, average, optimizer, scaler)
        progress = saved.progress
        logger.info("Goes on after step %d.", progress.step)
    _check_equal(progress, processes)
    if saved is None and processes.is_first:
        remove_states(out)
    has_logs = processes.is_first and not only_best
    run = Run(
        out,
        recipe,
        info,
        network,
        processes.connect(trained),
        average,
        optimizer,
        scaler,
        arithmetic,
        processes,
        progress,
        base.info.name if base else "",
        _open_logs(out, recipe.train, progress.step) if has_logs else (),
        only_best,
    )
    run.started -= progress.seconds
    return run


def _trained_part(network: nn.Module, config: TrainConfig) -> nn.Module:
    """Return what is called in training: the network, or what trains a part of it."""
    if config.part == "all":
        return network
    if not isinstance(network, PFFNet):
        raise ValueError("part is 'quality', which only a PFFNet has; use part 'all'.")
    return QualityTraining(network)


def start_average(network: nn.Module, config: TrainConfig) -> AveragedModel | None:
    """Return the running mean of the weights, which starts as they are."""
    if not config.ema_decay:
        return None
    mean = get_ema_multi_avg_fn(config.ema_decay)
    # Buffers, as the statistics of batch norms, are those of the last step.
    average = AveragedModel(network, multi_avg_fn=mean)
    # The first update would else copy the weights and forget a restored mean.
    average.n_averaged.fill_(1)
    return average


def _open_logs(out: Path, config: TrainConfig, last_step: int) -> tuple[RunLog, ...]:
    """Return the logs that the recipe asks for."""
    csv = CsvLog(out, last_step)
    return (csv, TensorBoardLog(out, last_step)) if config.tensorboard else (csv,)


def _check_equal(progress: Progress, processes: Processes) -> None:
    """Refuse to start at different steps, as from folders that are not the same."""
    steps = processes.gather([progress.step])
    if len(set(steps)) > 1:
        raise ValueError(
            f"The processes would start after the steps {steps}; give an --out folder "
            "that all of them see."
        )
