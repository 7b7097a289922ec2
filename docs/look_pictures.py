"""Draw images with the outlines of truth and prediction: for ``look.py``."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from PIL import Image
from scipy import ndimage
from skimage.segmentation import find_boundaries

from napari_pffnet.data.normalize import normalize
from napari_pffnet.evaluation.errors import TRUE_KINDS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from look_results import Looked, Side
    from numpy.typing import NDArray

# What is the same mistake seen from both sides has the same colour.  All five are
# bright, and lines have a dark rim, so that they read on black and on white.
COLORS = {
    "good": (0, 215, 255),
    **dict.fromkeys(("merged", "merge"), (255, 0, 210)),
    **dict.fromkeys(("split", "piece"), (90, 255, 60)),
    "poor": (255, 225, 0),
    **dict.fromkeys(("missed", "false"), (255, 45, 30)),
}
PANEL = 480
"""Width of one of the two panels in pixels of the picture."""
MARGIN, HEAD, FOOT = 8, 26, 80
DPI = 100
MOST_BYTES = 300_000
DIAMETERS_ACROSS = 9
"""A window is so many typical objects wide."""
SMALLEST, LARGEST = 96, 240
"""Limits of the width of a window in pixels of the image."""
MOST_NARROW = 4.0
"""Parts of a bar that are narrower, in per cent, hold no number."""
DARK = 0.25
"""Images of a lower median are drawn brighter, for the eye to see dim nuclei."""


@dataclass(frozen=True, slots=True)
class Caption:
    """What stands above a picture, and at its end."""

    head: str
    foot: str


@dataclass(frozen=True, slots=True)
class Window:
    """Rows and columns of an image, and how many times they are enlarged."""

    slices: tuple[slice, slice]
    factor: int


def draw_looked(looked: Looked, caption: Caption, path: Path) -> None:
    """Draw the most wrong window: truth on the left, prediction on the right."""
    place = worst_window(looked)
    window, factor = place.slices, place.factor
    picture = displayed(looked.image)[window]
    width, height = factor * picture.shape[1], factor * picture.shape[0]
    size = (2 * width + 3 * MARGIN, height + HEAD + FOOT)
    seen = f"{picture.shape[1]} x {picture.shape[0]}"
    whole = f"{looked.truth.shape[1]} x {looked.truth.shape[0]}"
    foot = f"{looked.name}\nWindow of most errors, {seen} of {whole} px; "
    foot += f"scores and numbers of the whole image.\n{caption.foot}"
    figure = Figure(figsize=(size[0] / DPI, size[1] / DPI), dpi=DPI)
    sides = (("truth", looked.true_side), ("found", looked.found_side))
    for left, (word, side) in zip((MARGIN, width + 2 * MARGIN), sides, strict=True):
        colors = np.array([COLORS[kind] for kind in side.kinds], np.uint8).reshape(
            -1, 3
        )
        panel = outlined(picture, side.labels[window], side.ids, colors, factor)
        # Pixels of the picture are those of the screen: nothing is interpolated.
        figure.figimage(panel, left, FOOT, origin="upper")
        corner = ((left - 20) / size[0], (FOOT - 2) / size[1])
        _legend(figure, f"{word}:", side, corner)
    left = MARGIN / size[0]
    figure.text(left, 1 - 18 / size[1], caption.head, fontsize=9, weight="bold")
    figure.text(left, 8 / size[1], foot, fontsize=7, linespacing=1.4)
    save_small(figure, path)


def outlined(
    picture: NDArray[np.uint8],
    labels: NDArray[np.integer],
    ids: NDArray[np.integer],
    colors: NDArray[np.uint8],
    factor: int,
) -> NDArray[np.uint8]:
    """Return the picture enlarged by a factor, each object in a line of its colour."""
    large = picture.repeat(factor, axis=0).repeat(factor, axis=1)
    objects = labels.repeat(factor, axis=0).repeat(factor, axis=1)
    line = find_boundaries(objects, mode="inner")
    line = ndimage.binary_dilation(line) & (objects > 0)
    rim = find_boundaries(objects, mode="outer") & (objects == 0)
    large[rim] = 0
    large[line] = colors[np.searchsorted(ids, objects[line])]
    return large


def _legend(
    figure: Figure, title: str, side: Side, corner: tuple[float, float]
) -> None:
    """Write under a panel which colour is what, and how many there are."""
    # The title stands in the place of a colour, which is why the corner lies left.
    handles = [Patch(alpha=0, label=title)]
    for kind in side.choices:
        color = np.array(COLORS[kind]) / 255
        label = f"{kind} {np.count_nonzero(side.kinds == kind)}"
        handles.append(Patch(facecolor=color, edgecolor="black", label=label))
    figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=corner,
        ncols=len(handles),
        fontsize=8,
        frameon=False,
        borderpad=0,
        handlelength=1,
        handletextpad=0.4,
        columnspacing=1,
    )


def worst_window(looked: Looked) -> Window:
    """Return the window with most errors, and of equal ones with most objects."""
    diameters = looked.true_diameters
    typical = np.median(diameters) if len(diameters) else LARGEST
    wanted = np.clip(DIAMETERS_ACROSS * typical, SMALLEST, LARGEST)
    factor = round(PANEL / wanted)
    width = PANEL // factor
    h, w = np.minimum((width * 5 // 6, width), looked.truth.shape).tolist()
    weights = np.zeros(looked.truth.shape)
    for side in (looked.true_side, looked.found_side):
        centres = np.array(
            ndimage.center_of_mass(side.labels > 0, side.labels, side.ids)
        )
        places = tuple(centres.reshape(-1, 2).astype(int).T)
        np.add.at(weights, places, np.where(side.kinds == "good", 0.001, 1.0))
    sums = np.pad(weights.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    held = sums[h:, w:] - sums[:-h, w:] - sums[h:, :-w] + sums[:-h, :-w]
    # Rounded, as sums of floats differ in the last digit where the windows do not.
    y, x = np.unravel_index(held.round(6).argmax(), held.shape)
    return Window((slice(int(y), int(y) + h), slice(int(x), int(x) + w)), factor)


def displayed(image: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Return the image as (Y, X, 3) for the eye."""
    is_color = image.ndim == 3 and image.shape[-1] >= 3
    planes = (
        image[..., :3] if is_color else image.reshape(*image.shape[:2], -1)[..., :1]
    )
    unit = np.clip(normalize(planes, rgb=is_color), 0, 1)
    if np.median(unit) < DARK:
        unit = np.sqrt(unit)
    return np.broadcast_to((unit * 255).round(), (*unit.shape[:2], 3)).astype(np.uint8)


def draw_histogram(
    rows: Mapping[str, NDArray[np.str_]], n_false: int, path: Path
) -> None:
    """Draw what became of the true objects, one bar a row, with the numbers in it."""
    figure = Figure(figsize=(8, 0.8 + 0.5 * len(rows)), layout="constrained", dpi=DPI)
    axes = figure.subplots()
    names = [f"{name}\n{len(kinds)} objects" for name, kinds in rows.items()]
    starts = np.zeros(len(rows))
    for kind in TRUE_KINDS:
        counts = np.array([np.count_nonzero(k == kind) for k in rows.values()])
        shares = 100 * counts / np.maximum([len(k) for k in rows.values()], 1)
        color = np.array(COLORS[kind]) / 255
        axes.barh(names, shares, left=starts, color=color, edgecolor="k", label=kind)
        for y, (start, share, count) in enumerate(
            zip(starts, shares, counts, strict=True)
        ):
            if share > MOST_NARROW:
                axes.text(start + share / 2, y, f"{count}", ha="center", va="center")
        starts += shares
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.set_xlabel(f"per cent of the true objects; beside them {n_false} false ones")
    figure.legend(loc="outside upper right", ncols=len(TRUE_KINDS), frameon=False)
    save_small(figure, path)


def save_small(figure: Figure, path: Path) -> None:
    """Write a PNG of at most ``MOST_BYTES``, with as many colours as these allow."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI)
    picture = Image.open(buffer).convert("RGB")
    # Thin lines have few pixels; in a strip of their own they keep their colours.
    colors = np.array(list(COLORS.values()), np.uint8)
    strip = Image.fromarray(colors[None].repeat(9, 1).repeat(40, 0))
    weighted = Image.new("RGB", (picture.width, picture.height + strip.height))
    weighted.paste(picture)
    weighted.paste(strip.resize((picture.width, strip.height), 0), (0, picture.height))
    for n_colors in (256, 128, 64, 32):
        content = io.BytesIO()
        palette = weighted.quantize(n_colors)
        quantized = picture.quantize(palette=palette, dither=Image.Dither.NONE)
        quantized.save(content, "PNG", optimize=True)
        if content.tell() <= MOST_BYTES:
            break
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.getvalue())
