"""From raw intensities to the [0, 1] that networks are trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from napari_pffnet.config import NormalizationConfig

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_F = TypeVar("_F", bound=np.floating)

MAX_SAMPLE = 4_000_000
"""Pixels that the statistics of an image are taken from, at most."""
_NOISE_SAMPLE = 250_000
"""So many of them are enough to tell the noise."""


@dataclass(frozen=True, slots=True)
class IntensityLimits:
    """Intensities that become 0 and 1, one pair a channel.

    Attributes
    ----------
    low, high
        (C,) in units of the raw image.  ``high`` equals ``low`` in channels
        that are constant.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]


def normalize(
    image: NDArray[np.generic],
    config: NormalizationConfig | None = None,
    *,
    rgb: bool = False,
    limits: IntensityLimits | None = None,
) -> NDArray[np.float32]:
    """Bring an image to [0, 1] by percentiles.

    Parameters
    ----------
    image
        (..., Y, X, C) of any real dtype; not changed.  Masked pixels count as
        not finite.
    config
        Percentiles and noise factor.
    rgb
        Whether the channels are red, green, blue: their limits are common.
    limits
        Taken from the whole layer, for a tile or a view of it; by default
        those of ``image`` itself.

    Returns
    -------
    ndarray
        Same shape, float32, clipped to [0, 1].  Non-finite pixels and constant
        channels are 0.
    """
    limits = limits or intensity_limits(image, config, rgb=rgb)
    low, high = np.array(limits.low), np.array(limits.high)
    flat = high <= low
    # Large integers and doubles lose the signal in float32 before the offset
    # is taken off.
    wide = image.dtype.itemsize >= 4 and image.dtype != np.float32
    dtype = np.float64 if wide else np.float32
    values = _unmasked(image, dtype)
    values[~np.isfinite(values)] = -np.inf
    np.subtract(values, low.astype(dtype), out=values)
    np.clip(values, 0, None, out=values)
    np.divide(values, np.where(flat, np.inf, high - low).astype(dtype), out=values)
    return np.asarray(np.minimum(values, 1), np.float32)


def intensity_limits(
    image: NDArray[np.generic],
    config: NormalizationConfig | None = None,
    *,
    rgb: bool = False,
) -> IntensityLimits:
    """Find the intensities that become 0 and 1.

    The range is never smaller than ``noise_factor`` times the noise, so that
    empty images stay flat.  Where the two percentiles coincide, as in a black
    image with one small object, the extremes are taken.

    Parameters
    ----------
    image
        (..., Y, X, C) of any real dtype.
    config
        Percentiles and noise factor.
    rgb
        Whether to take the percentiles over all channels at once.
    """
    first, second = sample_slices(image.shape[:-1])
    return limits_of_sample(image[first], image[second], config, rgb=rgb)


def sample_slices(
    shape: tuple[int, ...],
) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Return which pixels tell of a whole image, and which lie one further in X.

    Parameters
    ----------
    shape
        (..., Y, X); of these at most `MAX_SAMPLE` pixels are taken.
    """
    steps = _sample_steps(shape)
    first = tuple(slice(None, None, step) for step in steps)
    return first, (*first[:-1], slice(1, None, steps[-1]))


def limits_of_sample(
    sample: NDArray[np.generic],
    neighbours: NDArray[np.generic],
    config: NormalizationConfig | None = None,
    *,
    rgb: bool = False,
) -> IntensityLimits:
    """Find the limits of an image of which only a sample is at hand.

    Parameters
    ----------
    sample, neighbours
        (..., X, C) pixels at the two places that `sample_slices` returns.
    config
        Percentiles and noise factor.
    rgb
        Whether to take the percentiles over all channels at once.
    """
    config = config or NormalizationConfig()
    channels = sample.shape[-1]
    # Slices, not indices: the channel axis stays.
    parts = [slice(None)] if rgb else [slice(c, c + 1) for c in range(channels)]
    pairs = [
        _channel_limits(sample[..., part], neighbours[..., part], config)
        for part in parts
    ]
    if rgb:
        pairs *= channels
    return IntensityLimits(tuple(p[0] for p in pairs), tuple(p[1] for p in pairs))


def _channel_limits(
    sample: NDArray[np.generic],
    neighbours: NDArray[np.generic],
    config: NormalizationConfig,
) -> tuple[float, float]:
    values = _finite(_exact(sample))
    if values.size == 0:
        return 0.0, 0.0
    low, high = _percentiles(values, [config.low, config.high])
    if high <= low:
        low, high = values.min(), values.max()
    high = max(high, low + config.noise_factor * _noise(sample, neighbours))
    return float(low), float(high)


def _noise(sample: NDArray[np.generic], neighbours: NDArray[np.generic]) -> float:
    """Return the median absolute difference of neighbouring pixels along X."""
    # Some rows are enough to tell it, and sorting is what takes time here.
    every = max(1, sample.size // _NOISE_SAMPLE)
    left, right = (_exact(a[..., ::every, :, :]) for a in (sample, neighbours))
    with np.errstate(invalid="ignore"):
        differences = _finite(np.abs(left[..., : right.shape[-2], :] - right))
    return float(_percentiles(differences, [50])[0]) if differences.size else 0.0


def _exact(values: NDArray[np.generic]) -> NDArray[Any]:
    """Copy to a type that holds them and their differences: int32 or float64."""
    small = values.dtype.kind in "bui" and values.dtype.itemsize <= 2
    if small and not np.ma.isMaskedArray(values):
        return values.astype(np.int32)
    return _unmasked(values, np.float64)


def _finite(values: NDArray[Any]) -> NDArray[Any]:
    """Return those that are finite, in one row."""
    flat = values.ravel()
    return flat if flat.dtype.kind == "i" else flat[np.isfinite(flat)]


def _percentiles(values: NDArray[Any], percents: Sequence[float]) -> NDArray[Any]:
    """Return what `numpy.percentile` does; integers are counted, not sorted."""
    if values.dtype.kind == "f":
        return np.asarray(np.percentile(values, percents))
    least = values.min()
    so_far = np.bincount(values - least).cumsum()
    place = np.array(percents) / 100 * (len(values) - 1)
    lower, upper = (
        least + np.searchsorted(so_far, rank, side="right")
        for rank in (np.floor(place), np.ceil(place))
    )
    return np.asarray(lower + (upper - lower) * (place % 1))


def _unmasked(values: NDArray[np.generic], dtype: type[_F]) -> NDArray[_F]:
    """Copy an array, with NaN in place of what is masked."""
    filled: NDArray[_F] = np.ma.filled(values.astype(dtype), np.nan)
    return filled


def _sample_steps(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the stride along each axis that leaves at most `MAX_SAMPLE` pixels."""
    steps = np.ones(len(shape), int)
    sizes = np.array(shape)
    while (left := -(-sizes // steps)).prod() > MAX_SAMPLE:
        steps[left.argmax()] += 1
    return tuple(int(step) for step in steps)
