"""Random changes of training crops, on torchvision's functional transforms.

Every function draws from the generator that it is given and from nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torchvision.transforms.v2 import functional as v2

if TYPE_CHECKING:
    from torchvision import tv_tensors

    from napari_pffnet.config import AugmentConfig

# Optical density of hematoxylin, eosin and their cross product in red, green,
# blue (Ruifrok and Johnston 2001), each of length 1.
_STAINS = (
    (0.650, 0.704, 0.286),
    (0.072, 0.990, 0.105),
    (-0.209, -0.048, 0.977),
)


def augment_geometry(
    image: tv_tensors.Image,
    masks: tv_tensors.Mask,
    config: AugmentConfig,
    rng: np.random.Generator,
) -> tuple[Tensor, Tensor]:
    """Flip and turn an image and its masks together.

    Parameters
    ----------
    image
        (C, Y, X), square when rotations are on.
    masks
        (K, Y, X) maps that belong to the image.
    config
        Which changes are made.
    rng
        Source of all chance.
    """
    vertical, horizontal = rng.integers(0, 2, 2)
    turns = int(rng.integers(0, 4))
    parts: list[Tensor] = [image, masks]
    if config.flips and vertical:
        parts = [v2.vertical_flip(part) for part in parts]
    if config.flips and horizontal:
        parts = [v2.horizontal_flip(part) for part in parts]
    if config.rotations:
        parts = [torch.rot90(part, turns, (-2, -1)) for part in parts]
    image_out, masks_out = (part.as_subclass(Tensor).contiguous() for part in parts)
    return image_out, masks_out


def augment_intensity(
    image: Tensor, config: AugmentConfig, rng: np.random.Generator
) -> Tensor:
    """Change intensities, colours, sharpness and noise.

    Grey images stored in several equal channels stay grey.

    Parameters
    ----------
    image
        (C, Y, X) float32 in [0, 1].
    config
        Chance of each change.
    rng
        Source of all chance.

    Returns
    -------
    Tensor
        Same shape, float32 in [0, 1], a new tensor.
    """
    channels = len(image)
    is_grey = all(torch.equal(image[0], other) for other in image[1:])
    if is_grey:
        image = image[:1]
    for change, chance in (
        (_stain, config.color if channels == 3 and not is_grey else 0),
        (_grayscale, config.grayscale if channels == 3 and not is_grey else 0),
        (_illumination, config.illumination),
        (_intensity, config.intensity),
        (_invert, config.invert),
        (_blur, config.blur),
        (_median_blur, config.median_blur),
        (_noise, config.noise),
    ):
        if rng.random() < chance:
            image = change(image, rng).clamp(0, 1)
    return image.expand(channels, -1, -1).clone()


def _intensity(image: Tensor, rng: np.random.Generator) -> Tensor:
    gamma = float(np.exp(rng.uniform(-0.5, 0.5)))
    gain = float(np.exp(rng.uniform(-0.5, 0.35)))
    offset = float(rng.uniform(-0.08, 0.12))
    changed: Tensor = v2.adjust_gamma(image, gamma) * gain + offset
    return changed


def _illumination(image: Tensor, rng: np.random.Generator) -> Tensor:
    """Let the light fall off along one direction, to a quarter at the most."""
    angle, fall = rng.uniform(0, 2 * np.pi), rng.uniform(0.2, np.log(4))
    y, x = (torch.linspace(-0.5, 0.5, side) for side in image.shape[1:])
    along = y[:, None] * float(np.sin(angle)) + x * float(np.cos(angle))
    return image * torch.exp(-float(fall) * (along - along.min()))


def _invert(image: Tensor, rng: np.random.Generator) -> Tensor:
    return 1 - image


def _blur(image: Tensor, rng: np.random.Generator) -> Tensor:
    sigma = float(rng.uniform(0.4, 1.8))
    side = 2 * round(2.5 * sigma) + 1
    blurred: Tensor = v2.gaussian_blur(image, [side, side], [sigma, sigma])
    return blurred


def _median_blur(image: Tensor, rng: np.random.Generator) -> Tensor:
    padded = functional.pad(image[None], (1, 1, 1, 1), mode="replicate")[0]
    height, width = image.shape[1:]
    neighbours = [
        padded[:, y : y + height, x : x + width] for y in range(3) for x in range(3)
    ]
    return torch.stack(neighbours).median(0).values


def _noise(image: Tensor, rng: np.random.Generator) -> Tensor:
    sigma = rng.uniform(0.005, 0.06)
    noise = rng.standard_normal(tuple(image.shape), np.float32)
    return image + torch.from_numpy(noise) * sigma


def _grayscale(image: Tensor, rng: np.random.Generator) -> Tensor:
    gray: Tensor = v2.rgb_to_grayscale(image, num_output_channels=3)
    return gray


def _stain(image: Tensor, rng: np.random.Generator) -> Tensor:
    """Vary the amount of each stain and of light in a transmitted-light image."""
    stains = torch.tensor(_STAINS)
    density = -torch.log(image.clamp(1 / 255, 1)).flatten(1).T
    amounts = density @ torch.linalg.inv(stains)
    gains = torch.from_numpy(rng.uniform(0.75, 1.3, 3).astype(np.float32))
    offsets = torch.from_numpy(rng.uniform(-0.05, 0.05, 3).astype(np.float32))
    changed = (amounts * gains + offsets) @ stains
    return torch.exp(-changed).T.reshape(image.shape)
