"""A training for the window: layers in; losses, scores and a checkpoint out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_pffnet.messages import LossStep, Progress, ScoreStep, TrainDone
from napari_pffnet.segmentation.memory import is_out_of_memory
from napari_pffnet.training import (
    TrainingError,
    TrainingResult,
    TrainStep,
    ValidationStep,
    train_iter,
)
from napari_pffnet.training.base import effective_recipe
from napari_pffnet.training.data import hold_out
from napari_pffnet.weights import load_model
from napari_pffnet.worker.training_images import (
    preview_window,
    read_images,
    write_preview,
)

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_pffnet.messages import TrainRequest
    from napari_pffnet.training import Step
    from napari_pffnet.training.data import TrainingData
    from napari_pffnet.worker.control import Control

    Body = Progress | LossStep | ScoreStep | TrainDone

NO_GAIN = (
    "No step was better than the model that the training began with, so that is what "
    "was kept. More annotated objects may help."
)


def run(request: TrainRequest, control: Control) -> Generator[Body, None, None]:
    """Train; the base model is scored first, and the best weights are written.

    Yields
    ------
    Progress, LossStep, ScoreStep
        While it runs; `ScoreStep` 0 is the base model as it is.
    TrainDone
        At the end, also where the user asked to finish early.

    Raises
    ------
    ValueError
        If images, model or device cannot be used, or the training cannot go on.
    """
    total = request.recipe.train.iterations
    yield Progress(done=0, total=total, text="Reading the images")
    base = load_model(request.base, device="cpu") if request.base else None
    recipe = effective_recipe(request.recipe, base)
    images = read_images(request, recipe)
    data = hold_out(
        images.images, recipe=recipe, base=None if base is None else base.info
    )
    if base is not None:
        yield Progress(done=0, total=total, text="Scoring the model as it is")
    steps = train_iter(
        data.train,
        data.validation,
        recipe=recipe,
        out=request.out,
        base=base,
        device=request.device,
        only_best=True,
        should_finish=lambda: control.is_finish_asked,
    )
    try:
        result = yield from _tell(steps, data, Path(request.out).parent)
    except TrainingError as error:
        raise ValueError(str(error)) from error
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise ValueError(
            "The memory did not suffice. Choose fewer or smaller crops under "
            "Advanced, or the CPU as device, then try again."
        ) from error
    yield _done(result, data, images.notes)


def _tell(
    steps: Generator[Step, None, TrainingResult], data: TrainingData, folder: Path
) -> Generator[Body, None, TrainingResult]:
    """Pass on what the window shows of each step; return the result."""
    (shown, *_), *_ = data.validation.values()
    window = preview_window(shown)
    try:
        while True:
            try:
                step = next(steps)
            except StopIteration as stop:
                result: TrainingResult = stop.value
                return result
            if isinstance(step, TrainStep):
                yield _loss(step)
            elif isinstance(step, ValidationStep):
                path = folder / f"preview {step.step}.npy"
                preview = write_preview(shown, step.example, path, window=window)
                yield _score(step).model_copy(update={"preview": preview})
    finally:
        steps.close()


def _loss(step: TrainStep) -> LossStep:
    return LossStep(
        step=step.step,
        steps=step.steps,
        losses=dict(step.losses),
        total=step.total,
        learning_rate=step.learning_rate,
        seconds=step.seconds,
    )


def _score(step: ValidationStep) -> ScoreStep:
    (scores,) = step.scores.values()
    return ScoreStep(
        step=step.step,
        aji=scores.aji,
        pq=scores.pq,
        score_threshold=step.score_threshold,
        is_best=step.is_best,
    )


def _done(
    result: TrainingResult, data: TrainingData, notes: tuple[str, ...]
) -> TrainDone:
    notes = (*data.notes, *notes)
    return TrainDone(
        path=str(result.path),
        steps=result.steps,
        best_step=result.best_step,
        seconds=result.seconds,
        is_held_out=data.is_held_out,
        notes=notes if result.best_step else (NO_GAIN, *notes),
    )
