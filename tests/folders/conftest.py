"""Small images, and runs over them with a model that needs no training."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import imageio.v3 as iio
import numpy as np
import pytest

from napari_pffnet.cli import main
from napari_pffnet.config import OutputConfig, SegmentConfig
from napari_pffnet.folders import plan_files, segment_files_iter

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_pffnet.folders import FilesResult, Step
    from napari_pffnet.weights import Model

OPTIONS = ("--tile", "0", "--diameter", "28", "--score-threshold", "0.3")


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    """Three images of bright discs, the third with the fewest."""
    folder = tmp_path / "images"
    folder.mkdir()
    y, x = np.mgrid[:64, :64]
    found = []
    for name, centres in (("a", 3), ("b", 2), ("c", 1)):
        image = np.full((64, 64), 20, np.uint8)
        for cy, cx in [(16, 16), (40, 20), (34, 48)][:centres]:
            image[(y - cy) ** 2 + (x - cx) ** 2 < 64] = 200
        found.append(folder / f"{name}.png")
        iio.imwrite(found[-1], image)
    return found


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Where the results go; not there yet."""
    return tmp_path / "out"


@pytest.fixture
def words(tiny_checkpoint: Path, out: Path) -> Callable[..., list[str]]:
    """Return the words of ``pffnet segment`` with the untrained model."""

    def make(*given: object) -> list[str]:
        place = ["--out", out, "--model", tiny_checkpoint, "--device", "cpu"]
        return ["segment", *map(str, [*given, *place]), *OPTIONS]

    return make


@pytest.fixture
def segment(words: Callable[..., list[str]]) -> Callable[..., int]:
    """Run ``pffnet segment``."""
    return lambda *given: main(words(*given))


@pytest.fixture
def environment() -> dict[str, str]:
    """What a process of its own needs to find the package of this checkout."""
    return os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "src")}


@pytest.fixture
def program() -> list[str]:
    """How ``pffnet`` is started in a process of its own."""
    return [sys.executable, "-m", "napari_pffnet.cli"]


@pytest.fixture
def run(tiny_model: Model, out: Path) -> Callable[..., tuple[list[Step], FilesResult]]:
    """Run without the command line; return all steps and the result."""

    def follow(
        images: list[Path], output: OutputConfig | None = None, **options: object
    ) -> tuple[list[Step], FilesResult]:
        config = SegmentConfig(tile=0, diameter=28, score_threshold=0.3, **options)
        plan = plan_files(images, out, config, output)
        generator, steps = segment_files_iter(plan, tiny_model, "model"), []
        while True:
            try:
                steps.append(next(generator))
            except StopIteration as stop:
                return steps, stop.value

    return follow
