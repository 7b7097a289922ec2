"""The training run, readable from top to bottom."""

from __future__ import annotations

import time
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from napari_pffnet.data.dataset import CropDataset
from napari_pffnet.training.base import effective_recipe
from napari_pffnet.training.batches import Batch, iterate_batches, pass_numbers
from napari_pffnet.training.processes import StoppedByFirst, join_processes
from napari_pffnet.training.record import describe, summarize
from napari_pffnet.training.rehearsal import with_samples
from napari_pffnet.training.run import Run, find_saved_state, start_run
from napari_pffnet.training.schedule import learning_rate, set_learning_rate
from napari_pffnet.training.state import remove_unfinished, state_path
from napari_pffnet.training.steps import (
    Step,
    TrainingResult,
    TrainStep,
    ValidationStep,
)
from napari_pffnet.training.validation import validate

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Generator, Mapping, Sequence

    from torch import Tensor

    from napari_pffnet.config import Recipe, TrainConfig
    from napari_pffnet.data.training_image import TrainingImage
    from napari_pffnet.weights import Model

SAVE_SECONDS = 300.0
"""A killed run loses at most so much of its time."""


class TrainingError(RuntimeError):
    """The training cannot go on; what was saved before is still good."""


def train_iter(
    train_images: Sequence[TrainingImage],
    validation_images: Mapping[str, Sequence[TrainingImage]] | None = None,
    *,
    recipe: Recipe,
    out: str | os.PathLike[str],
    base: Model | None = None,
    image_weights: Sequence[float] | None = None,
    resume: bool = False,
    device: str = "auto",
    only_best: bool = False,
    should_finish: Callable[[], bool] = lambda: False,
) -> Generator[Step, None, TrainingResult]:
    """Train a network; yield after every step, return where the weights are.

    Closing the generator saves the state, so that the run can be resumed.  Of
    several processes that ``torchrun`` started, the first writes all files, and
    closing its generator lets those of the others return.

    Parameters
    ----------
    train_images
        At least one, with at least one object among them all.
    validation_images
        Images by the name of their set; they choose the best weights and the
        score threshold.  Without any, or where quality alone is trained, the last
        weights are the result.
    recipe
        Model and training options; with ``base`` the model's shape is the base's.
    out
        Checkpoint to write.  Beside it lie ``<name>.last.safetensors``, the CSV
        logs, and the state to resume from; without ``resume`` the logs and states
        of an earlier run there are removed.
    base
        Model to fine-tune; default: new weights.  It is validated before the first
        step, so that the result is never worse than it.
    image_weights
        Chance of each training image to be chosen; default: all equal.
    resume
        Go on from the state beside ``out``; where there is neither a state nor a model,
        start.
    device
        As in :func:`~napari_pffnet.weights.resolve_device`.
    only_best
        Write nothing but the checkpoint: such a run cannot be resumed.
    should_finish
        Asked after every step; once it says yes, the weights are validated and the
        run ends.  In a single process only.

    Raises
    ------
    ValueError
        If the images have no object, the device is absent, or the state to resume
        cannot be used: it is damaged, missing beside a model, of another network, or
        not the same in all processes.
    TrainingError
        If the loss or its gradient is not finite, or a file cannot be written.
    """
    recipe = effective_recipe(recipe, base)
    if recipe.train.threads:
        torch.set_num_threads(recipe.train.threads)
    validation = {n: i for n, i in (validation_images or {}).items() if i}
    if recipe.train.part == "quality":
        # The scores of the outlines say nothing of the estimate of their quality.
        validation = {}
    info = describe(
        recipe, summarize(train_images), validation, base.info if base else None
    )
    sources = with_samples(train_images, image_weights, recipe)
    dataset = CropDataset(sources.images, recipe.train, weights=sources.weights)
    processes = join_processes(device)
    saved = find_saved_state(Path(out), recipe, base) if resume else None
    if processes.is_first:
        remove_unfinished(Path(out))
    run = start_run(Path(out), recipe, info, base, saved, processes, only_best)
    try:
        return (yield from _train(run, dataset, validation, should_finish))
    except OSError as error:
        # Most often the disk is full.
        again = "train again" if only_best else "go on with resume (--resume)"
        raise TrainingError(
            f"The training of {out} cannot go on ({error.strerror or error}); what was "
            f"saved before is kept. When that is mended, {again}."
        ) from error


def _train(
    run: Run,
    dataset: CropDataset,
    validation: Mapping[str, Sequence[TrainingImage]],
    should_finish: Callable[[], bool],
) -> Generator[Step, None, TrainingResult]:
    """Step, validate and save until the end."""
    config, processes = run.recipe.train, run.processes
    batches = iterate_batches(dataset, config, run.progress.step + 1, processes)
    try:
        # A run that was stopped between a step and its validation does that first.
        yield from _validate_and_save(run, validation)
        while run.progress.step < config.iterations and not run.is_stalled:
            yield _step(run, next(batches))
            yield from _validate_and_save(run, validation)
            if should_finish():
                yield from _validate(run, validation)
                break
        processes.go_on()
    except StoppedByFirst:
        pass
    except GeneratorExit:
        if not run.only_best:
            run.save()
        processes.stop()
        raise
    finally:
        # What loads crops would live on until a collection of garbage.
        batches.close()
        for log in run.logs:
            log.close()
    return run.result()


def _validate_and_save(
    run: Run, validation: Mapping[str, Sequence[TrainingImage]]
) -> Generator[Step, None, None]:
    """Do what is due after a step."""
    is_due = run.is_due
    if is_due:
        yield from _validate(run, validation)
    is_due |= time.monotonic() - run.saved > SAVE_SECONDS
    if is_due and not run.only_best:
        yield run.save()


def _step(run: Run, batches: Sequence[Batch]) -> TrainStep:
    """Take one optimizer step and log it."""
    run.processes.go_on()
    config, step = run.recipe.train, run.progress.step + 1
    rate = learning_rate(step, config)
    set_learning_rate(run.optimizer, rate)
    losses = run.processes.mean(_backward(run, batches, step))
    _check_finite(losses, step, config)
    _update(run, step)
    run.advance(step=step, seconds=run.seconds)
    done = TrainStep(
        step, config.iterations, losses, sum(losses.values()), rate, run.seconds
    )
    for log in run.logs:
        log.add_step(done)
    return done


def _backward(run: Run, batches: Sequence[Batch], step: int) -> dict[str, float]:
    """Accumulate the gradient of the batches; return their mean losses."""
    run.optimizer.zero_grad(set_to_none=True)
    sums: dict[str, float] = {}
    numbers = pass_numbers(step, run.recipe.train, run.processes)
    for number, batch in zip(numbers, batches, strict=True):
        is_last = number == numbers[-1]
        with nullcontext() if is_last else run.processes.delay_average(run.connected):
            losses = _backward_once(run, batch, number, 1 / len(batches))
        for name, value in losses.items():
            sums[name] = sums.get(name, 0.0) + value
    return sums


def _backward_once(
    run: Run, batch: Batch, number: int, share: float
) -> dict[str, float]:
    """Add the gradient of one pass, times its share; return its share of the losses."""
    # The random choices of a pass depend on its number alone, so that a resumed
    # run repeats them.  The generator of the CPU takes 32 bits.
    torch.manual_seed((run.recipe.train.seed * 1_000_003 + number + 1) % 2**32)
    here = batch.to(run.arithmetic.device)
    with run.arithmetic.autocast():
        losses: dict[str, Tensor] = run.connected(here.images, here.targets)
    values = share * torch.stack([loss.float() for loss in losses.values()])
    run.scaler.scale(values.sum()).backward()
    return dict(zip(losses, values.tolist(), strict=True))


def _update(run: Run, step: int) -> None:
    """Clip the gradient and move the weights along it."""
    config = run.recipe.train
    run.scaler.unscale_(run.optimizer)
    limit = config.clip_gradient or float("inf")
    norm = nn.utils.clip_grad_norm_(run.network.parameters(), limit)
    # A gradient scaler skips such steps by itself and lowers its scale.
    if not run.scaler.is_enabled() and not norm.isfinite():
        raise _not_finite("gradient", step, config)
    run.scaler.step(run.optimizer)
    run.scaler.update()
    if run.average is not None:
        run.average.update_parameters(run.network)


def _check_finite(losses: Mapping[str, float], step: int, config: TrainConfig) -> None:
    """Stop at the first loss that is NaN or infinite."""
    bad = [n for n, v in losses.items() if not abs(v) < float("inf")]
    if bad:
        raise _not_finite(f"loss ({', '.join(bad)})", step, config)


def _not_finite(what: str, step: int, config: TrainConfig) -> TrainingError:
    """Return the error that tells what broke, and what to try."""
    return TrainingError(
        f"The {what} is not finite at step {step}; the last saved state is kept. "
        f"Use a learning rate below {config.learning_rate:g} or precision 'float32'."
    )


def _validate(
    run: Run, validation: Mapping[str, Sequence[TrainingImage]]
) -> Generator[Step, None, None]:
    """Score the network and write it if it is the best so far; once after a step."""
    step = run.progress.step
    if step == run.progress.validated:
        return
    run.processes.go_on()
    if not run.only_best and not state_path(run.out).exists():
        # A model that a killed run leaves is thus never without a state.
        run.save()
    if not validation:
        run.advance(best_step=step, validated=step)
        yield run.save_best()
        return
    limit = run.recipe.train.validation_images
    found = validate(
        run.result_network, validation, run.arithmetic, run.processes, limit=limit
    )
    is_best = found.score > run.progress.best_score
    if is_best:
        run.advance(
            best_step=step,
            best_score=found.score,
            score_threshold=found.score_threshold,
            best_scores=dict(found.scores),
            stalled=0,
        )
    else:
        run.advance(stalled=run.progress.stalled + 1)
    run.advance(validated=step, seconds=run.seconds)
    done = ValidationStep(
        step,
        found.scores,
        found.score,
        found.score_threshold,
        is_best,
        run.seconds,
        found.example,
    )
    for log in run.logs:
        log.add_validation(done)
    # Saved before anyone can stop the run here.
    checkpoint = run.save_best() if is_best else None
    yield done
    if checkpoint is not None:
        yield checkpoint
