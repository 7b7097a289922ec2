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

HEIGHT, GAP = 260, 8


def panels(name: str, model: pff.Model) -> list[NDArray[np.uint8]]:
    """Return a window of a sample twice as large, without and with outlines."""
    sample = pff.load_sample(name)
    objects = pff.segment(sample.image, model)
    rgb = sample.image.ndim == 3
    unit = normalize(np.atleast_3d(sample.image), rgb=rgb)
    image = unit if rgb else np.repeat(unit, 3, axis=-1)
    # The outlines stay one pixel wide while the image grows.
    window = (slice(0, HEIGHT // 2), slice(0, HEIGHT))
    large, labels = (enlarge(a[window]) for a in (image, objects.labels))
    plain = np.round(large * 255).astype(np.uint8)
    return [plain, draw_overlay(large, labels, objects.objects["quality"])]


def enlarge(pixels: NDArray[np.generic]) -> NDArray[np.generic]:
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
