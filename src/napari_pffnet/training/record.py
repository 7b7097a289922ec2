"""What a checkpoint keeps of the data that it was trained on."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_pffnet.config import CheckpointInfo, Recipe
from napari_pffnet.provenance import joined

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_pffnet.data.training_image import TrainingImage
    from napari_pffnet.training.processes import Processes
    from napari_pffnet.training.state import Progress

logger = logging.getLogger("napari_pffnet")


@dataclass(frozen=True, slots=True)
class DataSummary:
    """Size of a training set and of its objects.

    Attributes
    ----------
    names
        Name of each different image.
    objects
        Number of objects in them.
    diameter
        Median of sqrt(4 area / pi), pixels.
    diameter_range
        2nd to 98th percentile of it, pixels, before any augmentation.
    """

    names: tuple[str, ...]
    objects: int
    diameter: float
    diameter_range: tuple[float, float]


def summarize(images: Sequence[TrainingImage]) -> DataSummary:
    """Measure the training images; repeated ones count once.

    Raises
    ------
    ValueError
        If there is no image or no object.
    """
    different = list({id(image): image for image in images}.values())
    if not different:
        raise ValueError("There is no training image; give at least one.")
    areas = np.concatenate([np.bincount(i.labels.ravel())[1:] for i in different])
    areas = areas[areas > 0]
    if not len(areas):
        raise ValueError(
            f"None of the {len(different)} training images has an object; "
            "label at least one."
        )
    diameters = np.sqrt(4 * areas / np.pi)
    low, middle, high = (float(v) for v in np.percentile(diameters, (2, 50, 98)))
    names = tuple(image.name for image in different)
    return DataSummary(names, len(areas), middle, (low, high))


def describe(
    recipe: Recipe,
    data: DataSummary,
    validation: Mapping[str, Sequence[TrainingImage]],
    base: CheckpointInfo | None,
) -> CheckpointInfo:
    """Return the description of the checkpoint, without how far it has come.

    The expected sizes are those of the objects, widened by the scale jitter; where
    quality alone is trained, what finds objects is the base's, and so are they.
    """
    inherited = CheckpointInfo(model=recipe.model) if base is None else base
    sizes: dict[str, Any] = {}
    if recipe.train.part == "all":
        low, high = data.diameter_range
        jitter = recipe.train.augment.scale
        sizes["diameter"] = data.diameter
        sizes["diameter_range"] = (low * jitter[0], high * jitter[1])
    return inherited.model_copy(
        update={
            **sizes,
            "name": recipe.name,
            "description": recipe.description,
            "model": recipe.model,
            "normalization": recipe.normalization,
            "licence": recipe.licence,
            # What a base has learned from is in its weights, and so in these.
            "data": joined(inherited.data, recipe.data),
            "training": {
                "recipe": recipe.model_dump(mode="json"),
                "images": len(data.names),
                "image_names": list(data.names),
                "objects": data.objects,
                "validation_images": {n: len(i) for n, i in validation.items()},
                "base": None if base is None else base.name,
            },
            "scores": {},
        }
    )


def with_progress(
    info: CheckpointInfo, progress: Progress, processes: Processes
) -> CheckpointInfo:
    """Return the description with steps, time, devices, best scores and beta.

    Without a validation beta stays as it is: 0.5, or that of the base.
    """
    reached = {
        "steps": progress.step,
        "seconds": round(progress.seconds, 1),
        "device": device_name(processes.device),
        "processes": processes.count,
        "best_step": progress.best_step,
        "best_scores": progress.model_dump(mode="json")["best_scores"],
    }
    changes: dict[str, Any] = {"training": {**info.training, **reached}}
    if progress.best_scores:
        chosen = {"score": progress.score_threshold}
        changes["thresholds"] = info.thresholds.model_copy(update=chosen)
    return info.model_copy(update=changes)


def device_name(device: torch.device) -> str:
    """Return the device in words."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type == "cpu":
        return f"CPU, {torch.get_num_threads()} threads"
    return device.type
