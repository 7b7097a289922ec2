"""Which axis of an array is which, and which channels are shown to the network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from napari_pffnet.config import NormalizationConfig

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

KNOWN_AXES = "YXCSZT"
"""Rows, columns, channels, colour samples, planes, time points."""
_S = TypeVar("_S", bound=np.generic)

_LONG_NAMES = {"Z": "planes", "T": "time points"}
_MOST_CHANNELS = 16


@dataclass(frozen=True, slots=True)
class PlanarImage:
    """One image with its channels last.

    Attributes
    ----------
    pixels
        (Y, X, C) as stored, any real dtype; a view where possible.
    rgb
        Whether the channels are red, green, blue.
    channel_names
        C names, or nothing.
    """

    pixels: NDArray[np.generic]
    rgb: bool
    channel_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ChannelChoice:
    """The channels that the network gets to see.

    Attributes
    ----------
    pixels
        (Y, X, K) with K the channels of the network, or 1 to be repeated.
    rgb
        Whether they are red, green, blue.
    note
        A sentence for the user where something was chosen for her, else "".
    """

    pixels: NDArray[np.generic]
    rgb: bool
    note: str = ""


def as_pixels(image: ArrayLike) -> NDArray[np.generic]:
    """Return an image as an array; the mask of a masked array stays."""
    return image if isinstance(image, np.ma.MaskedArray) else np.asarray(image)


def arrange(
    array: NDArray[np.generic],
    axes: str | None = None,
    *,
    channel_names: tuple[str, ...] = (),
) -> PlanarImage:
    """Bring an array to (Y, X, C).

    Parameters
    ----------
    array
        One image; axes of length 1 may be added anywhere.  Not changed.  Of a
        masked array the mask stays.
    axes
        A letter for each axis: Y, X, C, S (colour samples), Z, T.  Without it
        (Y, X), (Y, X, C) with fewer channels than rows and columns, and colour
        images are recognised.
    channel_names
        Names of the channels, where known.

    Raises
    ------
    ValueError
        If an axis stays unclear, or several planes or time points remain.
    """
    if array.dtype.kind not in "buif":
        remedy = "take numpy.abs of" if array.dtype.kind == "c" else "convert"
        raise ValueError(
            f"Pixels of type {array.dtype} are no intensities; {remedy} them first."
        )
    named = name_axes(array.shape, axes)
    check_one_plane(array.shape, named)
    pixels, named = _squeeze(array, named)
    color = _is_color(pixels, named, bool(channel_names))
    pixels = _channels_last(pixels, named)
    if "S" in named and pixels.shape[-1] in (2, 4):
        pixels = pixels[..., :-1]  # the last sample is opacity
    elif color:
        pixels = pixels[..., :3]
    names = channel_names if len(channel_names) == pixels.shape[-1] else ()
    return PlanarImage(pixels, color and pixels.shape[-1] == 3, names)


def name_axes(shape: tuple[int, ...], axes: str | None = None) -> str:
    """Return a letter for each axis of an image: those given, or a guess by shape.

    Raises
    ------
    ValueError
        If the image has no pixels, or an axis stays unclear.
    """
    if 0 in shape:
        raise ValueError(f"The image of shape {shape} has no pixels.")
    return _guess_axes(shape) if axes is None else check_axes(shape, axes)


def check_one_plane(shape: tuple[int, ...], axes: str) -> None:
    """Refuse an image of several planes or time points with a sentence."""
    named = "".join(a for a, n in zip(axes, shape, strict=True) if n > 1 or a in "YX")
    for letter, name in _LONG_NAMES.items():
        if letter in named:
            raise ValueError(
                f"The image of shape {shape} has several {name} (axes {named}); "
                "give one of them, or name the axis as channels with --axes "
                f"{named.replace(letter, 'C')}."
            )


def check_axes(shape: tuple[int, ...], axes: str) -> str:
    """Return the axes of an array of this shape in capital letters.

    Raises
    ------
    ValueError
        If they are not a letter for each axis, each once, Y and X among them.
    """
    if any(np.isnan(length) for length in shape):
        raise ValueError(
            f"The shape {shape} of the image is not known yet; call its method "
            "compute_chunk_sizes() first."
        )
    named = axes.upper()
    clear = set(named) <= set(KNOWN_AXES) and len(set(named)) == len(named)
    if not clear or not set("YX") <= set(named) or set("CS") <= set(named):
        unclear = ValueError(
            f"The axes {axes!r} of the image of shape {shape} are unclear; name "
            "each once with --axes, of Y, X, C (channels), S (colour), Z, T, for "
            "example --axes CYX."
        )
        raise unclear
    if len(named) != len(shape):
        raise ValueError(
            f"--axes {axes} names {len(named)} axes and the image of shape "
            f"{shape} has {len(shape)}; give one letter for each."
        )
    return named


def choose_channels(
    image: PlanarImage,
    wanted: tuple[int | str, ...] = (),
    *,
    in_channels: int = 3,
    config: NormalizationConfig | None = None,
) -> ChannelChoice:
    """Choose what the network gets to see.

    Parameters
    ----------
    image
        With its channels last.
    wanted
        Channels by number from 0 or by name, in the order of the network's; one
        alone is repeated.  Without it: colour images and images with as many
        channels as the network takes pass as they are, of others the channel
        with a name of a nuclear stain is taken, else the first.
    in_channels
        Channels that the network takes.
    config
        Its ``channel_names`` are looked for.

    Raises
    ------
    ValueError
        If a wanted channel does not exist, or their number does not fit.
    """
    count = image.pixels.shape[-1]
    if wanted:
        index = tuple(_channel_number(image, channel) for channel in wanted)
        if len(index) not in (1, in_channels):
            raise ValueError(
                f"{len(index)} channels were chosen and the model takes "
                f"{in_channels}; choose one or {in_channels} with --channels."
            )
        keeps_color = image.rgb and index == (0, 1, 2)
        return ChannelChoice(image.pixels[..., list(index)], keeps_color)
    if image.rgb and in_channels == 3:
        return ChannelChoice(image.pixels, rgb=True)
    if image.rgb:
        gray = image.pixels.astype(np.float32).mean(-1, keepdims=True)
        note = f"The colour image was turned to grey for {_channels(in_channels)}."
        return ChannelChoice(gray, rgb=False, note=note)
    # Three channels of a microscope are no colours for a network that saw colours.
    if count == 1 or (count == in_channels and in_channels != 3):
        return ChannelChoice(image.pixels, rgb=False)
    number, note = _nuclear_channel(image, config or NormalizationConfig())
    return ChannelChoice(image.pixels[..., number : number + 1], rgb=False, note=note)


def repeat_channels(
    pixels: NDArray[np.generic], in_channels: int
) -> NDArray[np.generic]:
    """Show one channel as ``in_channels`` equal ones, as a view.

    Parameters
    ----------
    pixels
        (Y, X, 1) or (Y, X, in_channels).
    in_channels
        Channels that the network takes.
    """
    if pixels.shape[-1] == in_channels:
        return pixels
    return np.broadcast_to(pixels[..., :1], (*pixels.shape[:-1], in_channels))


def distinct_channels(pixels: NDArray[_S]) -> NDArray[_S]:
    """Return one channel of pixels that `repeat_channels` shows as several.

    All others come back as they are, so that what is done to each channel is done
    once to a repeated one.
    """
    return pixels[..., :1] if pixels.strides[-1] == 0 else pixels


def _guess_axes(shape: tuple[int, ...]) -> str:
    ndim = len(shape)
    if ndim == 3 and shape[-1] in (3, 4) and min(shape[:2]) > 4:
        return "YXC"
    leading = next((i for i in range(ndim - 2) if shape[i] != 1), None)
    if ndim >= 2 and leading is None:
        return "TZCYX"[-ndim:] if ndim <= 5 else _unclear(shape)
    if ndim == 3 and shape[-1] <= min(_MOST_CHANNELS, *shape[:2]):
        return "YXC"
    return _unclear(shape)


def _unclear(shape: tuple[int, ...]) -> str:
    raise ValueError(
        f"It is unclear which axes the image of shape {shape} has; name them with "
        "--axes (axes= in Python), for example --axes CYX for channels first."
    )


def _squeeze(array: NDArray[np.generic], axes: str) -> tuple[NDArray[np.generic], str]:
    """Drop the axes of length 1 that are neither Y nor X."""
    dropped = tuple(
        i for i, name in enumerate(axes) if array.shape[i] == 1 and name not in "YX"
    )
    left = "".join(name for i, name in enumerate(axes) if i not in dropped)
    return array.squeeze(dropped), left


def _is_color(pixels: NDArray[np.generic], axes: str, has_names: bool) -> bool:
    if "S" in axes:
        return pixels.shape[axes.index("S")] in (3, 4)
    if not axes.endswith("C") or has_names:
        return False
    return pixels.shape[-1] == 3 or (pixels.shape[-1] == 4 and pixels.dtype == np.uint8)


def _channels_last(pixels: NDArray[np.generic], axes: str) -> NDArray[np.generic]:
    channel = next((name for name in axes if name in "CS"), None)
    order = "YX" if channel is None else f"YX{channel}"
    moved = pixels.transpose([axes.index(name) for name in order])
    return moved[..., None] if channel is None else moved


def _channel_number(image: PlanarImage, channel: int | str) -> int:
    count, names = image.pixels.shape[-1], image.channel_names
    if isinstance(channel, str) and channel.lstrip("-").isdigit():
        channel = int(channel)
    if isinstance(channel, int):
        if 0 <= channel < count:
            return channel
        raise ValueError(
            f"There is no channel {channel} in an image with {_channels(count)}; "
            f"--channels takes 0 to {count - 1}."
        )
    lowered = [name.lower() for name in names]
    if channel.lower() in lowered:
        return lowered.index(channel.lower())
    known = f"named {', '.join(names)}" if names else "without names"
    raise ValueError(
        f"There is no channel {channel!r}; the image has {_channels(count)} {known}: "
        "give --channels a number from 0 or one of the names."
    )


def _nuclear_channel(
    image: PlanarImage, config: NormalizationConfig
) -> tuple[int, str]:
    """Return the channel to segment, and the sentence that says why."""
    count = _channels(image.pixels.shape[-1])
    for stain in config.channel_names:
        for number, name in enumerate(image.channel_names):
            if stain.lower() in name.lower():
                return number, (
                    f"Of {count} the one named {name} (number {number}) is used; "
                    "choose another with --channels."
                )
    return 0, (
        f"Of {count} the first (number 0) is used, as none has the name of a nuclear "
        "stain; choose another with --channels."
    )


def _channels(count: int) -> str:
    return f"{count} channel{'' if count == 1 else 's'}"
