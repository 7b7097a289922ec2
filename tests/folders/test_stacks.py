"""Stacks and films among the images."""

import json

import numpy as np
import pandas as pd
import pytest
import tifffile
import zarr

from napari_pffnet.cli import main
from napari_pffnet.config import OutputConfig
from napari_pffnet.data.lazy import open_image
from napari_pffnet.data.readers import read_image, read_labels
from napari_pffnet.export.geojson import write_geojson
from napari_pffnet.export.imagej import write_rois
from napari_pffnet.folders import ImageDone, ImageFailed, ImagePart, ImageSkipped
from napari_pffnet.readback.labels import read_labels_with_table

LABELS = np.zeros((2, 3, 8, 9), np.int32)
LABELS[0, 1, 2:5, 3:6], LABELS[1, 0, 1:3, 1:3], LABELS[1, 2, 4:8, 4:9] = 1, 2, 3
OBJECTS = pd.DataFrame(
    {
        "label": [1, 2, 3], "t": [0, 1, 1], "z": [1, 0, 2], "class": "nucleus",
        "score": 0.9, "quality": 0.8, "confidence": 0.72, "area": [9, 4, 20],
    }
)  # fmt: skip


def stack(shape, axes, path):
    """Write a film or stack of coarse noise, which the model takes for objects."""
    half = (*shape[:-1], shape[-1] // 2)
    noise = np.random.default_rng(0).integers(0, 255, half, np.uint8).repeat(2, -1)
    tifffile.imwrite(path, noise, photometric="minisblack", metadata={"axes": axes})
    return path


@pytest.mark.parametrize(
    ("axes", "shape", "leading"),
    [
        ("ZYX", (3, 64, 48), (3,)),
        ("TZCYX", (2, 3, 2, 64, 48), (2, 3)),
        ("TZYX", (1, 3, 64, 48), (3,)),
    ],
)
def test_a_stack_becomes_a_stack_with_planes_in_its_table(
    run, out, tmp_path, axes, shape, leading
):
    path = stack(shape, axes, tmp_path / "film.tif")
    steps, result = run([path])
    planes = sum(isinstance(step, ImagePart) for step in steps)
    assert planes == np.prod(leading)
    names = ("film_labels.tif", "film_semantic.tif")
    labels, semantic = (read_image(out / name) for name in names)
    kept = "TZ"[-len(leading) :]
    assert labels.array.shape == semantic.array.shape == (*leading, 64, 48)
    assert labels.axes == semantic.axes == f"{kept}YX"
    table = pd.read_csv(out / "film_objects.csv")
    assert list(table)[1 : 1 + len(kept)] == list(kept.lower())
    assert labels.array.max() == len(table) > 0
    for row in table.itertuples():
        place = tuple(getattr(row, name) for name in kept.lower())
        assert np.count_nonzero(labels.array[place] == row.label) == row.area
    assert not (out / "film_overlay.png").exists()
    (record,) = result.records
    assert any("picture of the outlines" in note for note in record.notes)
    assert pd.read_csv(result.summary)["objects"].tolist() == [len(table)]


def test_a_stack_in_zarr_opens_with_its_table(run, out, tmp_path):
    path = stack((2, 64, 48), "ZYX", tmp_path / "film.tif")
    run([path], OutputConfig(formats=("zarr", "tiff", "csv")))
    read = read_labels_with_table(out / "film_labels.zarr")
    assert read.labels.shape == (2, 64, 48)
    np.testing.assert_array_equal(read.labels, read_labels(out / "film_labels.tif"))
    assert read.labels.max() == len(read.objects) > 0
    assert open_image(out / "film_semantic.zarr").axes == "ZYX"


def test_a_stack_whose_labels_do_not_fit_is_refused_in_a_sentence(run, tmp_path):
    path = tmp_path / "film.zarr"
    # Nothing is written: chunks that are missing are zero.
    zarr.create_array(path, shape=(10**8, 64, 64), chunks=(64, 64, 64), dtype="u1")
    steps, _ = run([path], axes="ZYX")
    (failed,) = (step for step in steps if isinstance(step, ImageFailed))
    assert "The labels of 409,600 megapixels need about" in failed.sentence
    assert failed.sentence.endswith("use fewer planes at a time, or a smaller crop.")


def test_a_stack_that_is_done_is_skipped(run, tmp_path):
    path = stack((2, 64, 48), "ZYX", tmp_path / "film.tif")
    run([path])
    steps, _ = run([path], OutputConfig(resume=True))
    assert [type(step) for step in steps] == [ImageSkipped]


def test_coco_of_a_stack_is_refused_before_it_is_segmented(run, tmp_path, images):
    path = stack((2, 64, 48), "ZYX", tmp_path / "film.tif")
    steps, result = run([path, images[0]], OutputConfig(formats=("coco",)))
    assert not [s for s in steps if isinstance(s, ImagePart) and s.place.number == 0]
    assert "leave out the format coco" in result.failures[str(path)]
    assert isinstance(steps[-1], ImageDone)


def test_unclear_axes_are_an_error_that_names_the_option(tmp_path, out, words, capsys):
    path = tmp_path / "pages.tif"
    tifffile.imwrite(path, np.zeros((7, 64, 48), np.uint8), metadata=None)
    assert main(words(path, "--quiet")) == 1
    assert "--axes" in capsys.readouterr().err
    assert main(words(path, "--quiet", "--axes", "TYX")) == 0
    assert tifffile.imread(out / "pages_labels.tif").shape == (7, 64, 48)


def test_axes_that_do_not_fit_fail_the_image(run, images):
    steps, result = run(images[:1], axes="ZYX")
    assert isinstance(steps[-1], ImageFailed)
    assert "--axes ZYX names 3 axes" in result.failures[str(images[0])]


# ---------------------------------------------------------------- formats


def test_qupath_learns_in_which_plane_an_outline_lies(tmp_path):
    write_geojson(LABELS, OBJECTS, tmp_path / "a.geojson", axes="TZ")
    features = json.loads((tmp_path / "a.geojson").read_text())["features"]
    places = [feature["geometry"]["plane"] for feature in features]
    assert places == [
        {"c": -1, "z": 1, "t": 0}, {"c": -1, "z": 0, "t": 1}, {"c": -1, "z": 2, "t": 1},
    ]  # fmt: skip
    assert [feature["properties"]["name"] for feature in features] == ["1", "2", "3"]
    first = np.array(features[0]["geometry"]["coordinates"][0])
    assert (first.min(0).tolist(), first.max(0).tolist()) == ([3, 2], [6, 5])


def test_imagej_learns_in_which_plane_a_region_lies(tmp_path):
    roifile = pytest.importorskip("roifile")
    write_rois(LABELS, OBJECTS, tmp_path / "both.zip", axes="TZ")
    regions = roifile.roiread(tmp_path / "both.zip")
    assert [(r.t_position, r.z_position) for r in regions] == [(1, 2), (2, 1), (2, 3)]
    film = LABELS.max(axis=1)
    write_rois(film, OBJECTS.drop(columns="z"), tmp_path / "film.zip", axes="T")
    regions = roifile.roiread(tmp_path / "film.zip")
    assert [region.position for region in regions] == [1, 2, 2]
    assert regions[2].name == "3 c0.72"


def test_outlines_of_a_stack_are_linked_when_asked(run, out, tmp_path):
    plane = np.full((64, 64), 20, np.uint8)
    y, x = np.mgrid[:64, :64]
    for cy, cx in ((16, 16), (40, 20), (34, 48)):
        plane[(y - cy) ** 2 + (x - cx) ** 2 < 64] = 200
    path = tmp_path / "cells.tif"
    options = {"photometric": "minisblack", "metadata": {"axes": "ZYX"}}
    tifffile.imwrite(path, np.stack([plane] * 3), **options)
    formats = ("tiff", "csv", "geojson", "rois")
    _, result = run([path], OutputConfig(formats=formats, link="z"))
    assert not result.failures
    labels = tifffile.imread(out / "cells_labels.tif")
    objects = pd.read_csv(out / "cells_objects.csv")
    parts = pd.read_csv(out / "cells_parts.csv")
    # Equal planes: each object goes through all three.
    np.testing.assert_array_equal(labels[0], labels[1])
    np.testing.assert_array_equal(labels[0], labels[2])
    assert labels.max() == len(objects) > 0
    assert (objects["planes"] == 3).all()
    assert len(parts) == 3 * len(objects)
    features = json.loads((out / "cells_objects.geojson").read_text())["features"]
    assert len(features) == len(parts)
    kinds = [[type(s) for s in run([path], OutputConfig(resume=True, link=link))[0]]
             for link in ("z", None)]  # fmt: skip
    assert kinds[0] == [ImageSkipped]
    assert kinds[1][-1] is ImageDone


def test_images_without_the_axis_are_as_without_linking(run, out, images):
    run([images[0]], OutputConfig(link="z"))
    assert (out / "a_objects.csv").exists()
    assert not (out / "a_parts.csv").exists()
