"""Fields without objects, such as every screen has, for training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter, zoom

from napari_pffnet.data.normalize import normalize

if TYPE_CHECKING:
    from numpy.typing import NDArray

_COLOURED = 0.25
"""Share of the fields that are coloured, where there are three channels."""
_CORRELATED = 0.3
"""Share of those whose noise neighbouring pixels have in common, as after compression
or a change of size."""


def empty_field(
    side: int, channels: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Draw uneven light with noise on it, normalized as an image of its own.

    Without objects the percentiles stretch noise and shades over the whole range, in
    which a network finds what it has learned to find.

    Parameters
    ----------
    side
        Of the field, pixels.
    channels
        All equal, but for some fields of three.
    rng
        Source of all chance.

    Returns
    -------
    ndarray
        (side, side, channels) in [0, 1].
    """
    is_coloured = channels == 3 and rng.random() < _COLOURED
    shape = (side, side, channels if is_coloured else 1)
    noise = rng.standard_normal(shape)
    if rng.random() < _CORRELATED:
        noise = gaussian_filter(noise, rng.uniform(0.4, 1.2), axes=(0, 1))
        noise /= noise.std()
    light = _light(side, rng) * 10 ** rng.uniform(-1, 1.5)
    tint = rng.standard_normal(shape[2]) * 10 ** rng.uniform(-1, 1.5)
    field = normalize(noise + light[..., None] + tint, rgb=is_coloured)
    return np.repeat(field, channels // shape[2], axis=2)


def _light(side: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return a smooth surface of standard deviation near 1."""
    corners = rng.standard_normal((rng.integers(2, 4),) * 2)
    surface = zoom(corners, side / len(corners), order=len(corners) - 1)
    return np.asarray(surface, np.float64)
