from __future__ import annotations

import json
import sys

import numpy as np
import pandas as pd
import pytest
import tifffile

from napari_pffnet.export.coco import compress_counts, run_lengths, write_coco
from napari_pffnet.export.geojson import write_geojson
from napari_pffnet.export.imagej import write_rois
from napari_pffnet.export.labels import write_labels, write_objects, write_semantic
from napari_pffnet.instances import Instances

LABELS = np.array(
    [
        [1, 1, 0, 0, 2],
        [1, 1, 0, 0, 2],
        [0, 0, 0, 0, 0],
        [2, 0, 0, 0, 0],
    ],
    np.int32,
)


def painted() -> tuple[np.ndarray, pd.DataFrame]:
    found = Instances.from_labels(LABELS, scores=[0.9, 0.8], qualities=[0.5, np.nan])
    # Label 2 has the confidence of its score, 0.8; label 1 has 0.45.
    table = found.to_table(LABELS, np.array([0, 1]), ("nucleus",))
    return LABELS, table


def test_labels_come_back_as_they_were(tmp_path):
    path = tmp_path / "a_labels.tif"
    write_labels(LABELS, path, pixel_size_um=0.5)
    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        np.testing.assert_array_equal(page.asarray(), LABELS)
        assert page.dtype == np.uint16
        assert page.compression == tifffile.COMPRESSION.ADOBE_DEFLATE
        assert page.tags["XResolution"].value == (20000, 1)
        assert file.series[0].axes == "YX"


def test_many_labels_do_not_overflow(tmp_path):
    labels = np.arange(70_000, dtype=np.int32).reshape(100, 700)
    write_labels(labels, tmp_path / "a.tif")
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tif"), labels)


def test_the_class_map_is_uint8(tmp_path):
    write_semantic((LABELS > 0).astype(np.uint8), tmp_path / "a.tif")
    assert tifffile.imread(tmp_path / "a.tif").dtype == np.uint8


def test_the_table_comes_back_from_csv(tmp_path):
    _, table = painted()
    write_objects(table, tmp_path / "a.csv")
    read = pd.read_csv(tmp_path / "a.csv")
    assert list(read.columns) == list(table.columns)
    assert read["area"].tolist() == [4, 3]
    assert read["quality"].isna().tolist() == [False, True]
    np.testing.assert_allclose(read["confidence"], [0.45, 0.8])


def test_columns_of_others_come_back_from_csv_with_all_their_digits(tmp_path):
    _, table = painted()
    times = [1234567.8, np.nan]
    write_objects(table.assign(time=times, quality=[1 / 3, np.nan]), tmp_path / "a.csv")
    read = pd.read_csv(tmp_path / "a.csv")
    np.testing.assert_array_equal(read["time"], times)
    np.testing.assert_array_equal(read["quality"], [0.333333, np.nan])


def test_an_old_file_is_replaced_in_one_piece(tmp_path):
    path = tmp_path / "a.tif"
    path.write_text("something else")
    write_labels(LABELS, path)
    np.testing.assert_array_equal(tifffile.imread(path), LABELS)
    assert list(tmp_path.iterdir()) == [path]


def test_qupath_gets_outlines_classes_and_measurements(tmp_path):
    write_geojson(*painted(), tmp_path / "a.geojson")
    first, second = json.loads((tmp_path / "a.geojson").read_text())["features"]
    (ring,) = first["geometry"]["coordinates"]
    assert first["geometry"]["type"] == "Polygon"
    assert ring[0] == ring[-1]
    assert sorted(ring[:-1]) == [[0, 0], [0, 2], [2, 0], [2, 2]]
    assert first["properties"]["classification"] == {"name": "nucleus"}
    measurements = first["properties"]["measurements"]
    assert measurements == pytest.approx(
        {"score": 0.9, "quality": 0.5, "confidence": 0.45, "area": 4}
    )
    assert second["geometry"]["type"] == "MultiPolygon"
    assert len(second["geometry"]["coordinates"]) == 2
    assert "quality" not in second["properties"]["measurements"]


def test_run_lengths_go_down_the_columns():
    found = Instances.from_labels(LABELS)
    assert run_lengths(found, 0) == [0, 2, 2, 2, 14]
    assert run_lengths(found, 1) == [3, 1, 12, 2, 2]
    # Full columns join into one run.
    full = Instances.from_labels(np.array([[0, 1, 1], [0, 1, 1]]))
    assert run_lengths(full, 0) == [2, 4]


def test_pycocotools_reads_the_masks(tmp_path):
    coco_mask = pytest.importorskip("pycocotools.mask")
    rng = np.random.default_rng(0)
    parts = []
    for _ in range(20):
        labels = np.zeros((300, 70), np.int32)
        y, x = rng.integers(0, [250, 50])
        blob = rng.random((50, 20)) < rng.uniform(0.05, 0.95)
        labels[y : y + 50, x : x + 20] = blob
        parts.append(Instances.from_labels(labels, scores=[0.7], qualities=[0.5]))
    found = Instances.concat(parts)
    write_coco(found, tmp_path / "a.json", image_id=3)
    results = json.loads((tmp_path / "a.json").read_text())
    for i, result in enumerate(results):
        expected = np.zeros((300, 70), np.uint8)
        y0, x0, y1, x1 = found.boxes[i]
        expected[y0:y1, x0:x1] = found.mask(i)
        decoded = coco_mask.decode(result["segmentation"])
        np.testing.assert_array_equal(decoded, expected)
        box = coco_mask.toBbox(result["segmentation"])
        assert result["bbox"] == box.tolist()
        assert (result["image_id"], result["category_id"]) == (3, 1)
        assert result["score"] == pytest.approx(0.35)


def test_counts_are_compressed_as_coco_does():
    # 3 -> "3"; 40 = 01 01000 -> low 5 bits 8 + 32 + 48 = "X", then 1 + 48 = "1".
    assert compress_counts([3]) == "3"
    assert compress_counts([40]) == "X1"
    # From the fourth on: 2 - 5 = -3 -> 11101 = 29 + 48 = "M".
    assert compress_counts([1, 5, 1, 2]) == "151M"


def test_imagej_gets_a_polygon_for_each_piece(tmp_path):
    roifile = pytest.importorskip("roifile")
    write_rois(*painted(), tmp_path / "a.zip")
    regions = roifile.roiread(tmp_path / "a.zip")
    assert [r.name for r in regions] == ["1 c0.45", "2 part 1 c0.80", "2 part 2 c0.80"]
    square = regions[0].coordinates()
    assert sorted(square.tolist()) == [[0, 0], [0, 2], [2, 0], [2, 2]]
    assert sorted(regions[2].coordinates().tolist()) == [[0, 3], [0, 4], [1, 3], [1, 4]]
    assert all(r.roitype == roifile.ROI_TYPE.POLYGON for r in regions)


def test_equal_results_are_equal_files(tmp_path):
    pytest.importorskip("roifile")
    for name in ("a", "b"):
        write_rois(*painted(), tmp_path / f"{name}.zip")
        write_labels(LABELS, tmp_path / f"{name}.tif")
    for suffix in ("zip", "tif"):
        first, second = (tmp_path / f"{name}.{suffix}" for name in ("a", "b"))
        assert first.read_bytes() == second.read_bytes()


def test_a_missing_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "roifile", None)
    with pytest.raises(ImportError, match=r"pip install 'napari-pffnet\[export\]'"):
        write_rois(*painted(), tmp_path / "a.zip")


def test_an_image_without_objects_gives_valid_files(tmp_path):
    none = np.zeros((3, 4), np.int32)
    found = Instances.from_labels(none)
    table = found.to_table(none, np.empty(0, np.int64), ("nucleus",))
    write_labels(none, tmp_path / "a.tif")
    write_objects(table, tmp_path / "a.csv")
    write_geojson(none, table, tmp_path / "a.geojson")
    write_coco(found, tmp_path / "a.json", image_id=0)
    assert len(pd.read_csv(tmp_path / "a.csv")) == 0
    assert json.loads((tmp_path / "a.geojson").read_text())["features"] == []
    assert json.loads((tmp_path / "a.json").read_text()) == []
