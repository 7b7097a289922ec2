"""A trained model with what ``release.py`` chooses without training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from napari_pffnet.build import build_network
from napari_pffnet.config import DENSE
from napari_pffnet.weights import Model, load_model

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Variant:
    """A checkpoint with another box NMS or masks, and room for dense images.

    Attributes
    ----------
    checkpoint
        Path of the weights.
    nms_iou
        Box NMS among detections.
    least_diameter
        Smaller objects are magnified, pixels; None: as the checkpoint says.
    magnified_diameter
        What they are magnified to, pixels; None: as the checkpoint says.
    mask_offset
        Added to the logits of masks: below 0 they become smaller.
    certainty
        How much of the logit of the masks' certainty is added to that of the quality.
    """

    checkpoint: Path
    nms_iou: float
    least_diameter: float | None
    magnified_diameter: float | None
    mask_offset: float
    certainty: float

    def load(self) -> Model:
        """Return the model."""
        model = load_model(self.checkpoint)
        changes = {
            "nms_iou": self.nms_iou,
            "quality_sees_score": True,
            "quality_sees_certainty": True,
            **DENSE,
        }
        config = model.info.model.model_copy(update=changes)
        network = build_network(config)
        # What it lacks are the weights of score and certainty, which are 0 until set.
        network.load_state_dict(network.state_dict() | model.network.state_dict())
        sizes = {
            "least_diameter": self.least_diameter,
            "magnified_diameter": self.magnified_diameter,
        }
        given = {name: size for name, size in sizes.items() if size is not None}
        info = model.info.model_copy(update={"model": config, **given})
        with torch.no_grad():
            network.mask_branch.generator.conv5.bias[-1] += self.mask_offset
            network.mask_branch.quality.certainty_weight += self.certainty
        # As the released file stores them.
        network.half().float()
        return Model(network.eval().to(model.device), info, model.device)
