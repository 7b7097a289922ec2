"""``pffnet train``."""

import logging
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from napari_pffnet.cli import console
from napari_pffnet.cli.models import fetch_model
from napari_pffnet.cli.segment import split_channels
from napari_pffnet.config import SMALL, DataConfig, Recipe, TrainConfig
from napari_pffnet.files import check_free

if TYPE_CHECKING:
    from collections.abc import Callable

    from tqdm import tqdm

    from napari_pffnet.training import Step, TrainingResult, ValidationStep

_DEFAULTS = DataConfig()


def train(
    folder: Path,
    /,
    *,
    out: Path,
    val: Path | None = None,
    base: str | None = None,
    recipe: Path | None = None,
    iterations: int | None = None,
    seed: int | None = None,
    config: Annotated[DataConfig, Parameter(name="*")] = _DEFAULTS,
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto",
    threads: int | None = None,
    tensorboard: bool = False,
    resume: bool = False,
    overwrite: bool = False,
    quiet: bool = False,
) -> int:
    """Train a model on your own images, or refine one that exists.

    FOLDER holds images/ and labels/ with equal file names up to the suffix.  In a
    label image 0 is background and every other number one object.  An optional
    ignore/ marks with 1 what nobody labelled.  In place of FOLDER a COCO annotation
    file (.json) may be given; --images names the folder of its images.

    - `pffnet train mycells --base nuclei --out mycells.safetensors`
    - `pffnet train mycells --base nuclei --out mycells.safetensors --resume`
    - `pffnet segment new.tif --model mycells.safetensors --out results`

    Beside the checkpoint lie a log of the losses (CSV), a picture of the curves and
    the state from which --resume goes on.  Ctrl-C saves that state and stops.

    Parameters
    ----------
    folder
        Folder with images/ and labels/, or a COCO annotation file.
    out
        Checkpoint to write: a .safetensors file.
    val
        Such a folder or file to validate on; default: a tenth of the images, at least
        one; of a single image, a part of it.
    base
        Model to start from: a name (see `pffnet models`) or a checkpoint.
    recipe
        TOML file with all options; see recipes/ and docs/train.md.
    iterations
        Training steps; default: the recipe's.
    seed
        Start of all random choices; default: the recipe's.
    config
        How images are read.
    device
        Where the network runs.
    threads
        CPU threads; default: the recipe's.
    tensorboard
        Also write a log for TensorBoard, into a folder beside the checkpoint.
    resume
        Go on with a run that was stopped.
    overwrite
        Replace a checkpoint that exists.
    quiet
        No progress bar, and nothing but errors.
    """
    if out.suffix != ".safetensors":
        raise ValueError(f"--out {out} should end in .safetensors.")
    is_first = console.is_first_process()
    if not resume and is_first:
        from napari_pffnet.training.run import paths_beside

        # A run that was killed early has left a state and no checkpoint.
        wanted = [out, *paths_beside(out)]
        check_free(wanted, overwrite=overwrite, remedy="--resume to go on")
    if not is_first:
        # The first process says the same.
        logging.getLogger("napari_pffnet").setLevel(logging.ERROR)
    changes = {
        "iterations": iterations,
        "seed": seed,
        "threads": threads,
        "tensorboard": tensorboard or None,
    }
    plan = _read_recipe(recipe, out.stem, changes)
    start = fetch_model(base, quiet=quiet or not is_first) if base else None

    from napari_pffnet import training

    run = partial(
        training.train,
        folder,
        out=out,
        val=val,
        base=start,
        recipe=plan,
        data=split_channels(config),
        resume=resume,
        device=device,
    )
    try:
        result = _follow(run, plan.train.iterations, quiet=quiet or not is_first)
    except training.TrainingError as error:
        console.warn(f"pffnet: {error}")
        return console.FAILED
    if is_first and not quiet:
        console.tell(_summary(result))
    return console.OK


def _follow(
    run: "Callable[..., TrainingResult]", steps: int, *, quiet: bool
) -> "TrainingResult":
    """Run a training with a bar, and stop it between two steps if asked to."""
    with (
        console.progress(steps, "Training", quiet=quiet) as bar,
        console.stop_request() as request,
    ):

        def show_and_check(step: "Step") -> None:
            show_step(step, bar)
            request.check()

        return run(on_step=show_and_check)


def _read_recipe(path: Path | None, name: str, changes: dict[str, Any]) -> Recipe:
    """Return the recipe with the options of the command line."""
    if path is None:
        recipe = Recipe.model_validate({"name": name, "model": SMALL})
    else:
        recipe = Recipe.from_file(path)
    given = {key: value for key, value in changes.items() if value is not None}
    options = TrainConfig.model_validate(recipe.train.model_dump() | given)
    return recipe.model_copy(update={"train": options})


def show_step(step: "Step", bar: "tqdm[Any]") -> None:
    """Tell how far the run is, and each validation."""
    from napari_pffnet.training import TrainStep, ValidationStep

    if isinstance(step, TrainStep):
        bar.update(step.step - bar.n)
        bar.set_postfix_str(f", loss {step.total:.3f}", refresh=False)
    elif isinstance(step, ValidationStep) and not bar.disable:
        bar.write(_scores(step))


def _scores(step: "ValidationStep") -> str:
    """Return the scores of a validation as a line."""
    sets = "; ".join(
        f"{name}: AJI {found.aji:.3f}, PQ {found.pq:.3f}"
        for name, found in step.scores.items()
    )
    return f"step {step.step}: {sets}{' (best so far)' if step.is_best else ''}"


def _summary(result: "TrainingResult") -> str:
    """Return where the weights are, and how good."""
    stopped = ", stopped as it no longer improved" if result.stopped_early else ""
    lines = [f"{result.steps} steps in {result.seconds / 60:.1f} minutes{stopped}."]
    lines += [
        f"{name}: AJI {found.aji:.3f}, PQ {found.pq:.3f} at step {result.best_step}"
        for name, found in result.best_scores.items()
    ]
    lines.append(f"Model: {result.path} (the last weights: {result.last_path})")
    return "\n".join(lines)
