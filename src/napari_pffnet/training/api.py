"""Training in one call."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_pffnet.config import SMALL, DataConfig, Recipe
from napari_pffnet.generators import finish, retell
from napari_pffnet.training.base import effective_recipe
from napari_pffnet.training.data import ImageSource, load_training_data
from napari_pffnet.training.loop import train_iter
from napari_pffnet.weights import Model, load_model

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from napari_pffnet.training.steps import Step, TrainingResult


def train(
    train: ImageSource,
    *,
    out: str | os.PathLike[str],
    val: ImageSource | None = None,
    base: str | os.PathLike[str] | Model | None = None,
    recipe: Recipe | str | os.PathLike[str] | None = None,
    data: DataConfig | None = None,
    resume: bool = False,
    device: str = "auto",
    on_step: Callable[[Step], object] | None = None,
) -> TrainingResult:
    """Train or fine-tune a model, and write it to ``out``.

    Writes the files that `train_iter` tells of, in place of those that are there.

    Parameters
    ----------
    train
        A folder with ``images/`` and ``labels/`` (integer label images, 0 is
        background) and optionally ``ignore/``; or a COCO annotation file (``.json``);
        or pairs of image and label arrays; or
        :class:`~napari_pffnet.data.training_image.TrainingImage`.
    out
        Checkpoint to write, ``.safetensors``; logs, pictures of the curves and the
        state to resume from lie beside it.
    val
        The same to validate on; default: 10 % of the images, at least one; of a
        single image, a quarter of it.
    base
        Model to fine-tune, or its name or path; default: new weights.
    recipe
        Options of model and training, or a TOML file of them; default: those of
        `Recipe`, with the small widths of the bundled model.  A model whose recipe
        gives it no name is called as its file, without the suffix.
    data
        Axes, channels and treatment of binary masks.
    resume
        Go on from the state beside ``out``, if there is one.
    device
        ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
    on_step
        Called with each step of :func:`train_iter`; if it raises, the run stops
        and can be resumed.

    Returns
    -------
    TrainingResult
        ``path`` of the best weights, ``last_path`` of the last, ``steps``, and
        ``best_scores`` by the name of the validation set.

    Raises
    ------
    ValueError
        If images, recipe, base or device cannot be used; the sentence says why.
    TrainingError
        If the loss or its gradient is not finite.

    Examples
    --------
    >>> result = train("mycells", out="mycells.safetensors", base="nuclei")
    """
    model = base
    if model is not None and not isinstance(model, Model):
        model = load_model(model, device="cpu")
    plan = effective_recipe(_read_recipe(recipe, Path(out).stem), model)
    images = load_training_data(
        train, val, recipe=plan, config=data, base=None if model is None else model.info
    )
    steps = train_iter(
        images.train,
        images.validation,
        recipe=plan,
        out=out,
        base=model,
        resume=resume,
        device=device,
    )
    if on_step is None:
        return finish(steps)
    # Closed at once where on_step raises: that saves the state to resume from.
    return finish(retell(steps, on_step))


def _read_recipe(recipe: Recipe | str | os.PathLike[str] | None, name: str) -> Recipe:
    """Return the recipe; without one, the defaults with small widths.

    A model without a name of its own gets the one given.
    """
    if recipe is None:
        recipe = Recipe.model_validate({"model": SMALL})
    elif not isinstance(recipe, Recipe):
        recipe = Recipe.from_file(Path(recipe))
    if "name" in recipe.model_fields_set:
        return recipe
    return recipe.model_copy(update={"name": name})
