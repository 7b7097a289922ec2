"""Random training crops, each a pure function of the seed and its number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch
from scipy.ndimage import find_objects
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2

from napari_pffnet.data.augment import augment_geometry, augment_intensity
from napari_pffnet.data.empty import empty_field
from napari_pffnet.data.targets import image_target
from napari_pffnet.pffnet.structures import ImageTarget

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_pffnet.config import TrainConfig
    from napari_pffnet.data.pairs import TrainingImage

_S = TypeVar("_S", bound=np.generic)

OBJECT_CROPS = 0.8
"""Share of the crops that are placed at an object; the rest lie anywhere."""
MAGNIFIED = 6.0
"""Empty fields are magnified up to so many times."""


@dataclass(frozen=True, slots=True)
class Window:
    """A square cut out of an image; it may reach beyond the image.

    Attributes
    ----------
    y, x
        First row and column, pixels of the image; may be negative.
    size
        Side in pixels of the image.
    """

    y: int
    x: int
    size: int


@dataclass(frozen=True, slots=True)
class _Objects:
    """What the placing of crops needs to know of an image's objects.

    ``chances`` say at which of them a crop is placed: small ones, which are the
    first that a network misses, more often than large ones.
    """

    centers_yx: NDArray[np.float64]
    chances: NDArray[np.float64]
    areas_by_label: NDArray[np.int64]
    class_ids_by_label: NDArray[np.int64]


class CropDataset(torch.utils.data.Dataset[tuple[Tensor, ImageTarget]]):
    """Augmented crops of training images, numbered without end.

    Crop ``i`` depends on the seed and ``i`` alone, so that a run that was
    stopped at any crop goes on exactly as if it had not been.

    Parameters
    ----------
    images
        The training images, all of the same number of channels.
    config
        Size of the crops, augmentation and seed.
    weights
        Chance of each image, in any unit; by default all are equal.
    """

    def __init__(
        self,
        images: Sequence[TrainingImage],
        config: TrainConfig,
        *,
        weights: Sequence[float] | None = None,
    ) -> None:
        if not images:
            raise ValueError("No training images; give at least one image.")
        chances = np.array(weights or [1.0] * len(images), float)
        if (
            len(chances) != len(images)
            or not (chances >= 0).all()
            or chances.sum() == 0
        ):
            raise ValueError(
                f"{len(chances)} weights for {len(images)} images; give one weight of "
                "0 or more an image, not all 0."
            )
        self.images = images
        self.config = config
        self.chances = chances / chances.sum()
        self._objects = [_objects(image) for image in images]

    def __getitem__(self, index: int) -> tuple[Tensor, ImageTarget]:
        """Return ``crop(index)``; every index is valid."""
        return self.crop(index)

    def crop(self, index: int) -> tuple[Tensor, ImageTarget]:
        """Cut and augment crop number ``index``.

        Returns
        -------
        image
            (C, Y, X) float32 in [0, 1].
        target
            What lies outside the source image is ignored.
        """
        rng = np.random.default_rng((self.config.seed, index))
        empty = self.config.augment.empty
        if empty > 0 and rng.random() < empty:
            return self._empty_crop(rng)
        source = int(rng.choice(len(self.images), p=self.chances))
        image, objects = self.images[source], self._objects[source]
        window = self._place_window(image, objects, rng)
        return self._cut(image, objects, window, rng)

    def _empty_crop(self, rng: np.random.Generator) -> tuple[Tensor, ImageTarget]:
        side = self.config.crop_size
        # Also as coarse as the noise of an image that is magnified to find something.
        size = round(side / np.exp(rng.uniform(0, np.log(MAGNIFIED))))
        field = empty_field(size, self.images[0].image.shape[2], rng)
        image = augment_intensity(_resize(field, side), self.config.augment, rng)
        nothing = np.zeros((side, side), np.int32)
        return image, image_target(nothing)

    def _place_window(
        self, image: TrainingImage, objects: _Objects, rng: np.random.Generator
    ) -> Window:
        smallest, largest = np.log(self.config.augment.scale)
        magnification = np.exp(rng.uniform(smallest, largest))
        size = max(round(self.config.crop_size / magnification), 1)
        shape = image.labels.shape
        at_object = len(objects.centers_yx) > 0 and rng.random() < OBJECT_CROPS
        if at_object:
            center = objects.centers_yx[
                rng.choice(len(objects.chances), p=objects.chances)
            ]
            center = center + rng.uniform(-0.35, 0.35, 2) * size
        else:
            center = rng.uniform(0, 1, 2) * shape
        y, x = (
            _first_pixel(center[axis], size, shape[axis], rng.random())
            for axis in (0, 1)
        )
        return Window(y, x, size)

    def _cut(
        self,
        source: TrainingImage,
        objects: _Objects,
        window: Window,
        rng: np.random.Generator,
    ) -> tuple[Tensor, ImageTarget]:
        side = self.config.crop_size
        pixels = _window_pixels(source.image, window)
        labels = _resample(_window_pixels(source.labels, window), side)
        outside = _resample(_window_outside(source, window), side)
        unknown = outside
        if source.ignore is not None:
            ignore = _window_pixels(source.ignore, window)
            unknown = np.logical_or(outside, _resample(ignore, side))

        image = _resize(pixels, side)
        image = augment_intensity(image, self.config.augment, rng)
        image[:, torch.from_numpy(outside)] = 0
        masks = torch.from_numpy(np.stack([labels, unknown.astype(np.int32)]))
        image, masks = augment_geometry(
            tv_tensors.Image(image), tv_tensors.Mask(masks), self.config.augment, rng
        )
        target = image_target(
            masks[0].numpy(),
            class_ids_by_label=objects.class_ids_by_label,
            ignore=masks[1].numpy().astype(bool),
            full_areas=objects.areas_by_label * (side / window.size) ** 2,
        )
        return image.as_subclass(Tensor).contiguous(), target


def _objects(image: TrainingImage) -> _Objects:
    count = len(image.class_ids)
    areas = np.bincount(image.labels.ravel(), minlength=count + 1)
    places = {
        label: [(axis.start + axis.stop) / 2 for axis in window]
        for label, window in enumerate(find_objects(image.labels, count), 1)
        if window is not None
    }
    rarity = 1 / np.sqrt(areas[list(places)])
    return _Objects(
        centers_yx=np.array(list(places.values()), float).reshape(-1, 2),
        chances=rarity / rarity.sum() if places else rarity,
        areas_by_label=areas,
        class_ids_by_label=np.concatenate([[0], image.class_ids]).astype(np.int64),
    )


def _first_pixel(center: float, size: int, length: int, chance: float) -> int:
    """Place ``size`` pixels near ``center``, inside ``length`` where they fit."""
    if size >= length:
        return -int(chance * (size - length + 1))
    return int(np.clip(round(center - size / 2), 0, length - size))


def _window_pixels(array: NDArray[_S], window: Window) -> NDArray[_S]:
    """Copy a window; what lies outside the array is 0."""
    out = np.zeros((window.size, window.size, *array.shape[2:]), array.dtype)
    y0, x0 = max(window.y, 0), max(window.x, 0)
    part = array[y0 : window.y + window.size, x0 : window.x + window.size]
    rows, columns = part.shape[:2]
    out[y0 - window.y :, x0 - window.x :][:rows, :columns] = part
    return out


def _window_outside(source: TrainingImage, window: Window) -> NDArray[np.bool_]:
    outside = np.ones((window.size, window.size), np.bool_)
    height, width = source.labels.shape
    y0, x0 = max(-window.y, 0), max(-window.x, 0)
    outside[y0 : height - window.y, x0 : width - window.x] = False
    return outside


def _resample(values: NDArray[_S], side: int) -> NDArray[_S]:
    """Take the nearest pixel at the centres of a grid of ``side`` pixels."""
    # torchvision's resize of masks is half a pixel off.
    index = ((np.arange(side) + 0.5) * (len(values) / side)).astype(int)
    return np.asarray(values[index[:, None], index], values.dtype)


def _resize(pixels: NDArray[np.generic], side: int) -> Tensor:
    """Scale (Y, X, C) uint8 or float pixels to (C, side, side) in [0, 1]."""
    image = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))
    image = v2.functional.to_dtype(image, torch.float32, scale=True)
    resized: Tensor = v2.functional.resize(image, [side, side], antialias=True)
    return resized.clamp_(0, 1)
