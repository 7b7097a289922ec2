"""A network that needs no training, and images for it."""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor, nn

from napari_pffnet.config import CheckpointInfo, ModelConfig
from napari_pffnet.pffnet.structures import Detections, NetworkOutput
from napari_pffnet.weights import Model


class BrightThings(nn.Module):
    """Takes connected bright pixels of 8 to 80 px as objects."""

    def __init__(
        self, *, semantic=True, quality=True, most_pixels=10**9, largest=80
    ) -> None:
        super().__init__()
        self.semantic, self.quality = semantic, quality
        self.most_pixels, self.largest = most_pixels, largest
        self.seen: list[tuple[int, ...]] = []

    def forward(
        self,
        images: Tensor,
        *,
        least_score: float = 0.0,
        regions: Tensor | None = None,
    ) -> NetworkOutput:
        assert not self.training
        assert torch.is_inference_mode_enabled()
        self.seen.append(tuple(images.shape))
        if images.shape[2] * images.shape[3] > self.most_pixels:
            raise torch.OutOfMemoryError
        bright = images[:, 0] - 0.5
        semantic = torch.stack([-bright, bright], 1) if self.semantic else None
        return NetworkOutput([self.detect(one) for one in bright], semantic)

    def detect(self, bright: Tensor) -> Detections:
        parts, _ = ndimage.label(bright.numpy() > 0)
        boxes, grids = [], []
        for i, (rows, columns) in enumerate(ndimage.find_objects(parts), 1):
            mask = parts[rows, columns] == i
            if 8 <= np.sqrt(4 / np.pi * mask.sum()) <= self.largest:
                boxes.append([columns.start, rows.start, columns.stop, rows.stop])
                steps = (np.arange(28) + 0.5) / 28
                y, x = (np.floor(steps * n).astype(int) for n in mask.shape)
                grids.append(mask[np.ix_(y, x)])
        n = len(boxes)
        quality = 0.8 if self.quality else float("nan")
        return Detections(
            boxes=torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
            class_ids=torch.ones(n, dtype=torch.int64),
            scores=torch.full((n,), 0.9),
            qualities=torch.full((n,), quality),
            mask_logits=torch.tensor(np.array(grids)).reshape(-1, 28, 28) * 20.0 - 10,
        )


def bright_model(**parts) -> Model:
    info = CheckpointInfo(name="bright", model=ModelConfig(), tile_size=256)
    return Model(BrightThings(**parts), info, torch.device("cpu"))


def discs(shape, diameter, spacing, *, shift=0.0):
    """Return the image and the true labels of bright discs on a square grid."""
    y, x = np.mgrid[: shape[0], : shape[1]] + 0.5
    image, labels = np.zeros(shape, np.float32), np.zeros(shape, np.int32)
    for cy in np.arange(spacing / 2 + shift, shape[0] - diameter / 2, spacing):
        for cx in np.arange(spacing / 2 + shift, shape[1] - diameter / 2, spacing):
            distance = np.hypot(y - cy, x - cx) - diameter / 2
            image += 1000 * np.clip(0.5 - distance, 0, 1)
            labels[distance < 0] = labels.max() + 1
    return image + 100, labels


def matched_ious(true, predicted):
    """Return, for each true object, its largest IoU with a predicted one."""
    ious = []
    for i in range(1, true.max() + 1):
        mask = true == i
        ids, counts = np.unique(predicted[mask], return_counts=True)
        sizes = [np.count_nonzero(predicted == j) for j in ids]
        pairs = zip(ids, counts, sizes, strict=True)
        ious.append(
            max((c / (mask.sum() + s - c) for j, c, s in pairs if j), default=0)
        )
    return np.array(ious)
