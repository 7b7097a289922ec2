from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import tifffile
import torch
import zarr

from napari_pffnet.config import OutputConfig, SegmentConfig
from napari_pffnet.folders import image, plan_files, segment_files_iter
from napari_pffnet.generators import finish

from .bright import BrightThings, bright_model, discs

FORMATS = ("tiff", "zarr", "csv", "parquet", "geojson", "coco", "rois")


@pytest.fixture
def slide(tmp_path):
    """A zarr image with discs in one half of it."""
    pixels, _ = discs((700, 620), 24, 40)
    pixels[:, 400:] = 100
    path = tmp_path / "slide.zarr"
    zarr.create_array(path, data=pixels.astype(np.uint16), chunks=(128, 128))
    return path


def steps_of(path, out, model, **options):
    config = SegmentConfig(tile=256, diameter=24)
    output = OutputConfig(formats=FORMATS, **options)
    return segment_files_iter(plan_files([path], out, config, output), model, "sha")


def run(path, out, model=None, **options):
    return finish(steps_of(path, out, model or bright_model(), **options))


def contents(out):
    return {
        "labels": tifffile.imread(out / "slide_labels.tif"),
        "semantic": tifffile.imread(out / "slide_semantic.tif"),
        "zarr": zarr.open_group(out / "slide_labels.zarr", mode="r")["0"][:],
        "classes": zarr.open_group(out / "slide_semantic.zarr", mode="r")["0"][:],
    }


@pytest.mark.parametrize("parts", [{}, {"semantic": False, "quality": False}])
def test_a_large_image_gives_the_files_of_a_small_one(
    slide, tmp_path, monkeypatch, parts
):
    small = run(slide, tmp_path / "small", bright_model(**parts))
    monkeypatch.setattr(image, "LARGE_FROM", 1)
    large = run(slide, tmp_path / "large", bright_model(**parts))
    assert not small.failures
    assert not large.failures
    for name, found in contents(tmp_path / "small").items():
        np.testing.assert_array_equal(contents(tmp_path / "large")[name], found)
    for ending in ("_objects.csv", "_objects.geojson", "_rois.zip", "_coco.json"):
        files = [tmp_path / size / f"slide{ending}" for size in ("small", "large")]
        assert files[0].read_bytes() == files[1].read_bytes(), ending
    tables = [
        pd.read_parquet(tmp_path / size / "slide_objects.parquet")
        for size in ("small", "large")
    ]
    pd.testing.assert_frame_equal(*tables, check_dtype=False)
    assert len(tables[0]) == large.records[0].objects > 100
    assert (tmp_path / "large" / "slide_overlay.png").exists()
    assert not [p for p in (tmp_path / "large").iterdir() if p.name.startswith(".")]


def test_a_run_that_was_broken_off_goes_on_from_its_tiles(slide, tmp_path, monkeypatch):
    monkeypatch.setattr(image, "LARGE_FROM", 1)
    whole = bright_model()
    run(slide, tmp_path / "whole", whole)
    first, second = bright_model(), bright_model()
    broken = steps_of(slide, tmp_path / "out", first)
    for _ in range(6):
        next(broken)
    broken.close()
    assert not (tmp_path / "out" / "slide_run.json").exists()
    assert (tmp_path / "out" / ".tiles-slide").exists()
    run(slide, tmp_path / "out", second, resume=True)
    done = len(first.network.seen)
    assert done > 2
    assert len(second.network.seen) <= len(whole.network.seen) - done + 1
    for name, found in contents(tmp_path / "whole").items():
        np.testing.assert_array_equal(contents(tmp_path / "out")[name], found)
    assert not (tmp_path / "out" / ".tiles-slide").exists()


def test_tiles_that_a_run_left_at_its_very_end_go(slide, tmp_path, monkeypatch):
    monkeypatch.setattr(image, "LARGE_FROM", 1)
    run(slide, tmp_path / "out", bright_model())
    (tmp_path / "out" / ".tiles-slide").mkdir()
    assert run(slide, tmp_path / "out", bright_model(), resume=True).skipped == 1
    assert not (tmp_path / "out" / ".tiles-slide").exists()


def test_tiles_of_other_options_are_not_used(slide, tmp_path, monkeypatch):
    monkeypatch.setattr(image, "LARGE_FROM", 1)
    broken = steps_of(slide, tmp_path, bright_model())
    for _ in range(6):
        next(broken)
    broken.close()
    config = SegmentConfig(tile=256, diameter=24, score_threshold=0.95)
    output = OutputConfig(formats=("csv",), resume=True)
    plan = plan_files([slide], tmp_path, config, output)
    result = finish(segment_files_iter(plan, bright_model(), "sha"))
    assert result.records[0].objects == 0


def test_results_that_are_folders_are_replaced_when_asked(slide, tmp_path):
    run(slide, tmp_path)
    with pytest.raises(ValueError, match="exists already"):
        run(slide, tmp_path)
    assert not run(slide, tmp_path, overwrite=True).failures


class ShortOfMemory(BrightThings):
    """Sees class 1 everywhere, until the memory ends at the third tile."""

    def forward(self, images, **limits):
        output = super().forward(images, **limits)
        if len(self.seen) == 3:
            raise torch.OutOfMemoryError
        if len(self.seen) > 3:
            return output
        everywhere = torch.stack([-images[:, 0] - 1, images[:, 0] + 1], 1)
        return replace(output, semantic_logits=everywhere)


def test_nothing_is_left_of_classes_from_before_the_memory_ended(
    slide, tmp_path, monkeypatch
):
    monkeypatch.setattr(image, "LARGE_FROM", 1)
    run(slide, tmp_path / "calm")
    model = replace(bright_model(), network=ShortOfMemory())
    config = SegmentConfig(tile=512, diameter=24)
    plan = plan_files(
        [slide], tmp_path / "short", config, OutputConfig(formats=FORMATS)
    )
    result = finish(segment_files_iter(plan, model, "sha"))
    assert "memory" in result.records[0].notes[0]
    for name, found in contents(tmp_path / "calm").items():
        np.testing.assert_array_equal(contents(tmp_path / "short")[name], found)
