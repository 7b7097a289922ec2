"""Draw the picture of the README: the samples and what the model finds in them.

``python docs/make_pictures.py [--model nuclei]`` writes ``docs/images/samples.png``.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import imageio.v3 as iio
import numpy as np

import napari_pffnet as pff
from napari_pffnet.data.normalize import normalize
from napari_pffnet.export.overlay import draw_overlay

if TYPE_CHECKING:
    from numpy.typing import NDArray

GAP = 8
# Rows and columns with touching nuclei.
WINDOWS = {
    "fluorescence": (slice(250, 380), slice(420, 680)),
    "histology": (slice(110, 240), slice(30, 290)),
}


def panels(name: str, model: pff.Model) -> list[NDArray[np.uint8]]:
    """Return a window of a sample, without and with outlines."""
    sample = pff.load_sample(name)
    result = pff.segment(sample.image, model)
    unit = normalize(np.atleast_3d(sample.image), rgb=sample.image.ndim == 3)
    plain = draw_overlay(unit, np.zeros_like(result.labels), [])
    outlined = draw_overlay(unit, result.labels, result.objects["quality"])
    return [enlarge(picture[WINDOWS[name]]) for picture in (plain, outlined)]


def enlarge(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Repeat every pixel twice along both axes."""
    return pixels.repeat(2, axis=0).repeat(2, axis=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="nuclei")
    model = pff.load_model(parser.parse_args().model, device="cpu")
    rows = []
    for name in pff.sample_names():
        left, right = panels(name, model)
        gap = np.full((len(left), GAP, 3), 255, np.uint8)
        rows.append(np.hstack([left, gap, right]))
    line = np.full((GAP, rows[0].shape[1], 3), 255, np.uint8)
    path = Path(__file__).parent / "images" / "samples.png"
    iio.imwrite(path, np.vstack([rows[0], line, rows[1]]))
    print(path)


if __name__ == "__main__":
    main()
