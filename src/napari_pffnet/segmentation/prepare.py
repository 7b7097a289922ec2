"""From an image as given to the intensities that a network sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_pffnet.data.axes import arrange, choose_channels, repeat_channels
from napari_pffnet.data.normalize import normalize

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_pffnet.config import CheckpointInfo, SegmentConfig
    from napari_pffnet.data.axes import ChannelChoice
    from napari_pffnet.data.normalize import IntensityLimits

_LEAST_SIDE = 4
"""Images that are narrower hold no object, pixels."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """An image that a network can see.

    Attributes
    ----------
    pixels
        (Y, X, C) float32 in [0, 1], perhaps a read-only view.
    notes
        What was chosen for the user.
    flaw
        Why there is nothing to segment in it, a sentence, or "".
    """

    pixels: NDArray[np.float32]
    notes: tuple[str, ...]
    flaw: str


def prepare(
    image: NDArray[np.generic],
    info: CheckpointInfo,
    config: SegmentConfig,
    channel_names: tuple[str, ...],
    limits: IntensityLimits | None = None,
) -> Prepared:
    """Order the axes, choose the channels and bring the intensities to [0, 1].

    The image may be one plane or a part of another one, whose ``limits`` it takes.

    Raises
    ------
    ValueError
        If an axis stays unclear, or a channel does not exist.
    """
    chosen = choose(image, info, config, channel_names)
    unit = normalize(chosen.pixels, info.normalization, rgb=chosen.rgb, limits=limits)
    repeated = repeat_channels(unit, info.model.in_channels)
    pixels: NDArray[np.float32] = repeated.astype(np.float32, copy=False)
    notes = (chosen.note,) if chosen.note else ()
    return Prepared(pixels, notes, _flaw(chosen.pixels, unit))


def choose(
    image: NDArray[np.generic],
    info: CheckpointInfo,
    config: SegmentConfig,
    channel_names: tuple[str, ...],
) -> ChannelChoice:
    """Order the axes of an image and choose the channels that the network sees."""
    return choose_channels(
        arrange(image, config.axes, channel_names=channel_names),
        config.channels,
        in_channels=info.model.in_channels,
        config=info.normalization,
    )


def narrow_flaw(shape: tuple[int, int]) -> str:
    """Say that an image of ``shape`` (Y, X) is too narrow, or nothing."""
    height, width = shape
    if min(height, width) >= _LEAST_SIDE:
        return ""
    return (
        f"The image of {height} x {width} pixels is too narrow to hold objects; "
        "nothing was segmented."
    )


def _flaw(raw: NDArray[np.generic], unit: NDArray[np.float32]) -> str:
    """Say why an image holds no object, or nothing."""
    narrow = narrow_flaw((raw.shape[0], raw.shape[1]))
    if narrow or unit.max() > unit.min():
        return narrow
    if not np.isfinite(np.ma.masked_invalid(raw).compressed()).any():
        return "The image has no finite pixel; nothing was segmented."
    return "The image is constant; nothing was segmented."
