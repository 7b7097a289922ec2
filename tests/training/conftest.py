"""Images and networks that train in seconds."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from napari_pffnet.build import ARCHITECTURES
from napari_pffnet.config import AugmentConfig, ModelConfig, Recipe, TrainConfig
from napari_pffnet.data.training_image import TrainingImage
from napari_pffnet.pffnet.structures import Detections, NetworkOutput


def disc_image(seed: int, size: int = 96) -> TrainingImage:
    """Bright discs of 12 to 20 px on a dark ground."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((size, size), np.int32)
    y, x = np.mgrid[:size, :size]
    centers = np.arange(16, size - 8, 32)
    for center in np.stack(np.meshgrid(centers, centers), -1).reshape(-1, 2):
        cy, cx = center + rng.integers(-3, 4, 2)
        inside = (y - cy) ** 2 + (x - cx) ** 2 < rng.integers(6, 11) ** 2
        labels[inside] = labels.max() + 1
    gray = np.where(labels > 0, 200, 30) + rng.normal(0, 8, labels.shape)
    image = np.repeat(gray.clip(0, 255).astype(np.uint8)[..., None], 3, 2)
    ids = np.ones(labels.max(), np.int64)
    return TrainingImage(image, labels, None, ids, f"discs {seed}")


class OneObject(nn.Module):
    """A network that learns how bright objects are and finds one everywhere.

    It draws random numbers in training, as a real one does when it samples.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.classes = len(config.classes)
        self.features = nn.Conv2d(config.in_channels, 4, 3, padding=1)
        self.dropout = nn.Dropout2d()
        self.object = nn.Conv2d(4, 1 + self.classes, 1)

    def forward(
        self,
        images: Tensor,
        targets: list | None = None,
        *,
        least_score: float = 0.0,
        regions: Tensor | None = None,
    ) -> dict[str, Tensor] | NetworkOutput:
        hidden = self.dropout(self.features(images).relu())
        logits = self.object(hidden)
        if targets is None:
            return NetworkOutput([self._found(images)], None)
        truth = torch.stack([t.semantic for t in targets])
        mask = nn.functional.cross_entropy(logits.float(), truth, ignore_index=-1)
        return {"mask": mask, "quality": 0.1 * logits.float().square().mean()}

    def _found(self, images: Tensor) -> Detections:
        height, width = images.shape[-2:]
        return Detections(
            boxes=torch.tensor([[0.0, 0.0, width, height]]),
            class_ids=torch.ones(1, dtype=torch.int64),
            scores=torch.tensor([0.55]),
            qualities=torch.tensor([torch.nan]),
            mask_logits=torch.ones(1, 28, 28),
        )


@pytest.fixture
def images() -> list[TrainingImage]:
    return [disc_image(seed) for seed in range(3)]


@pytest.fixture
def recipe(monkeypatch: pytest.MonkeyPatch) -> Recipe:
    """Six steps of the small network that this file registers."""
    monkeypatch.setitem(ARCHITECTURES, "one_object", _build_one_object)
    return Recipe(
        name="discs",
        licence="CC0-1.0",
        model=ModelConfig(architecture="one_object"),
        train=TrainConfig(
            iterations=6,
            crop_size=64,
            warmup=2,
            validate_every=2,
            learning_rate=0.01,
            augment=AugmentConfig(scale=(0.5, 2.0)),
        ),
    )


def _build_one_object(config: ModelConfig, *, initialise: bool) -> nn.Module:
    return OneObject(config)


@pytest.fixture
def change(recipe: Recipe):
    """Return the recipe with other training options."""

    def changed(**options: object) -> Recipe:
        train = TrainConfig.model_validate({**recipe.train.model_dump(), **options})
        return recipe.model_copy(update={"train": train})

    return changed
