"""What `export` writes comes back, and so does what other programs write."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from skimage.measure import label

from napari_pffnet.export.coco import write_coco
from napari_pffnet.export.geojson import write_geojson
from napari_pffnet.export.imagej import write_rois
from napari_pffnet.export.labels import write_labels, write_objects, write_semantic
from napari_pffnet.export.large import write_ome_zarr
from napari_pffnet.instances import Instances
from napari_pffnet.readback.coco import is_coco, read_coco
from napari_pffnet.readback.geojson import read_geojson
from napari_pffnet.readback.imagej import is_rois, read_rois
from napari_pffnet.readback.labels import read_labels_with_table, read_semantic

if TYPE_CHECKING:
    import pandas as pd

    from napari_pffnet.readback.objects import ReadLabels

CLASSES = ("nucleus", "cell")


@pytest.fixture
def found() -> Instances:
    """Objects of random shape, with holes, in pieces, and one without a quality."""
    rng = np.random.default_rng(0)
    labels = label(rng.random((40, 60)) < 0.5, connectivity=1)
    n = labels.max()
    qualities = rng.random(n)
    qualities[0] = np.nan
    return Instances.from_labels(
        labels, rng.integers(1, 3, n), rng.random(n), qualities
    )


@pytest.fixture
def painted(found) -> tuple[np.ndarray, pd.DataFrame]:
    result = found.paint(score_threshold=0)
    return result.labels, found.to_table(result.labels, result.index, CLASSES)


def assert_same(read: ReadLabels, labels: np.ndarray, table: pd.DataFrame) -> None:
    np.testing.assert_array_equal(read.labels, labels)
    assert read.labels.dtype == np.int32
    for column in ("label", "class", "area", "bbox_x1"):
        assert read.objects[column].tolist() == table[column].tolist()
    for column in ("score", "quality", "confidence"):
        np.testing.assert_allclose(read.objects[column], table[column], rtol=1e-5)


def test_labels_come_back_with_their_table_and_record(tmp_path, painted):
    labels, table = painted
    write_labels(labels, tmp_path / "a_labels.tif", pixel_size_um=0.25)
    write_objects(table, tmp_path / "a_objects.csv")
    (tmp_path / "a_run.json").write_text('{"program": "x"}')
    for name in ("a_labels.tif", "a_objects.csv"):
        read = read_labels_with_table(tmp_path / name)
        assert_same(read, labels, table)
        assert (read.name, read.classes, read.record) == (
            "a",
            CLASSES,
            {"program": "x"},
        )
        assert read.pixel_size_um == pytest.approx(0.25)


def write_pyramid(image, path, pixel_size_um=None):
    write_ome_zarr(
        lambda rows, columns: image[rows, columns],
        image.shape,
        image.dtype,
        path,
        name="a",
        pixel_size_um=pixel_size_um,
    )


def test_labels_in_zarr_come_back_with_their_table(tmp_path, painted):
    labels, table = painted
    write_pyramid(labels, tmp_path / "a_labels.zarr", pixel_size_um=0.25)
    write_objects(table, tmp_path / "a_objects.csv")
    for name in ("a_labels.zarr", "a_objects.csv"):
        read = read_labels_with_table(tmp_path / name)
        assert_same(read, labels, table)
        assert read.pixel_size_um == pytest.approx(0.25)


def test_a_large_pyramid_is_left_on_the_disk(tmp_path, painted, monkeypatch):
    monkeypatch.setattr("napari_pffnet.readback.labels._LAZY_FROM", 2400)
    large = np.kron(painted[0], np.ones((16, 16), np.int32))
    write_pyramid(large, tmp_path / "a_labels.zarr")
    write_pyramid(large.astype(np.uint8), tmp_path / "a_semantic.zarr")
    write_objects(painted[1], tmp_path / "a_objects.csv")
    read = read_labels_with_table(tmp_path / "a_labels.zarr")
    shapes = [level.shape for level in read.labels]
    assert shapes == [(640, 960), (320, 480)]
    np.testing.assert_array_equal(read.labels[0][:], large)
    assert len(read.objects) == len(painted[1])
    classes = read_semantic(tmp_path / "a_semantic.zarr").labels
    np.testing.assert_array_equal(classes[1][:], large[::2, ::2])


def test_a_folder_that_is_no_image_is_refused(tmp_path):
    (tmp_path / "a_labels.zarr").mkdir()
    with pytest.raises(ValueError, match=r"a_labels\.zarr"):
        read_labels_with_table(tmp_path / "a_labels.zarr")


def test_labels_alone_are_labels_without_a_table(tmp_path, painted):
    write_labels(painted[0], tmp_path / "a_labels.tif")
    read = read_labels_with_table(tmp_path / "a_labels.tif")
    assert (read.objects, read.classes, read.pixel_size_um) == (None, (), None)


def test_a_table_with_gaps_keeps_each_row_at_its_label(tmp_path):
    labels = np.zeros((4, 4), np.int32)
    labels[0, 0], labels[3] = 2, 5
    write_labels(labels, tmp_path / "a_labels.tif")
    (tmp_path / "a_objects.csv").write_text("label,class,class_id\n5,NA,1\n2,b,2\n")
    read = read_labels_with_table(tmp_path / "a_labels.tif")
    assert read.objects["label"].tolist() == [1, 2, 3, 4, 5]
    assert read.objects["class"].tolist() == ["", "b", "", "", "NA"]
    assert read.classes == ("NA", "b")


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("label,score\n1,0.5\n", "do not belong together"),
        ("label,score\n1,0.5\n1,0.6\n", "different whole number"),
        ("score\n1\n", "needs a column label"),
        ("", "no table of objects"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(tmp_path, table, words):
    write_labels(np.array([[0, 3]]), tmp_path / "a_labels.tif")
    (tmp_path / "a_objects.csv").write_text(table)
    with pytest.raises(ValueError, match=words):
        read_labels_with_table(tmp_path / "a_labels.tif")


def test_the_class_map_comes_back(tmp_path):
    classes = np.array([[0, 1], [2, 1]], np.uint8)
    write_semantic(classes, tmp_path / "a_semantic.tif", pixel_size_um=2)
    read = read_semantic(tmp_path / "a_semantic.tif")
    np.testing.assert_array_equal(read.labels, classes)
    assert (read.name, read.pixel_size_um) == ("a", 2)


def test_qupath_outlines_come_back(tmp_path, painted):
    write_geojson(*painted, tmp_path / "a_objects.geojson")
    read = read_geojson(tmp_path / "a_objects.geojson")
    assert_same(read, *painted)
    assert read.name == "a"


def test_geojson_of_an_older_qupath_is_read(tmp_path):
    square = [[1, 2], [4, 2], [4, 5], [1, 5], [1, 2]]
    hole = [[2, 3], [3, 3], [3, 4], [2, 4], [2, 3]]
    feature = {
        "type": "Feature",
        "id": "PathDetectionObject",
        "geometry": {"type": "Polygon", "coordinates": [square, hole]},
        "properties": {
            "classification": {"name": "Tumor", "colorRGB": -3670016},
            "isLocked": False,
            "measurements": [{"name": "score", "value": 0.75}, {"name": "x"}],
        },
    }
    point = {"type": "Feature", "geometry": {"type": "Point", "coordinates": [0, 0]}}
    (tmp_path / "a.geojson").write_text(json.dumps([feature, point]))
    read = read_geojson(tmp_path / "a.geojson")
    expected = np.zeros((5, 4), np.int32)
    expected[2:5, 1:4] = 1
    expected[3, 2] = 0
    np.testing.assert_array_equal(read.labels, expected)
    assert read.objects[["class", "score"]].to_numpy().tolist() == [["Tumor", 0.75]]


def test_coco_results_come_back(tmp_path, found, painted):
    write_coco(found, tmp_path / "a.json", image_id="b")
    assert is_coco(tmp_path / "a.json")
    (read,) = read_coco(tmp_path / "a.json")
    assert read.name == "b"
    # They are counted in the order of the file.
    table = read.objects
    np.testing.assert_array_equal(read.labels > 0, painted[0] > 0)
    np.testing.assert_array_equal(table["area"], found.areas)
    np.testing.assert_allclose(table["quality"], found.qualities, rtol=1e-6)
    np.testing.assert_allclose(table["confidence"], found.confidences, rtol=1e-6)
    assert table["class"].tolist() == [f"class {i}" for i in found.class_ids]


def test_a_coco_data_set_gives_one_label_image_an_image(tmp_path):
    corner = {
        "image_id": 7,
        "category_id": 3,
        "segmentation": [[0, 0, 2, 0, 2, 1, 0, 1]],
    }
    runs = {"size": [3, 4], "counts": [4, 2, 6]}
    data = {
        "images": [
            {"id": 7, "file_name": "x/one.png", "height": 3, "width": 4},
            {"id": 8, "file_name": "two.png", "height": 2, "width": 2},
        ],
        "categories": [{"id": 3, "name": "cell"}],
        "annotations": [
            corner,
            {"image_id": 7, "category_id": 3, "segmentation": runs, "iscrowd": 1},
        ],
    }
    (tmp_path / "a.json").write_text(json.dumps(data))
    one, two = read_coco(tmp_path / "a.json")
    assert (one.name, two.name) == ("one", "two")
    assert one.labels.tolist() == [[1, 1, 0, 0], [0, 2, 0, 0], [0, 2, 0, 0]]
    assert one.objects["class"].tolist() == ["cell", "cell"]
    assert two.labels.shape == (2, 2)
    assert len(two.objects) == 0


def test_where_objects_overlap_the_more_confident_keeps_the_pixels(tmp_path):
    results = [
        {"image_id": 1, "segmentation": {"size": [1, 4], "counts": counts}, "score": s}
        for counts, s in (([0, 3, 1], 0.4), ([1, 3], 0.9))
    ]
    (tmp_path / "a.json").write_text(json.dumps(results))
    (read,) = read_coco(tmp_path / "a.json")
    assert read.labels.tolist() == [[1, 2, 2, 2]]
    assert read.objects["score"].tolist() == pytest.approx([0.4, 0.9])


def test_what_two_polygons_of_an_object_cover_is_no_hole(tmp_path):
    parts = [[0, 0, 3, 0, 3, 2, 0, 2], [1, 1, 4, 1, 4, 3, 1, 3], [9, 9, 9, 9]]
    result = {"image_id": 1, "segmentation": parts}
    (tmp_path / "a.json").write_text(json.dumps([result]))
    (read,) = read_coco(tmp_path / "a.json")
    assert read.labels.tolist() == [[1, 1, 1, 0], [1, 1, 1, 1], [0, 1, 1, 1]]
    assert read.objects["area"].tolist() == [10]


def test_imagej_regions_come_back(tmp_path):
    pytest.importorskip("roifile")
    labels = np.zeros((6, 9), np.int32)
    labels[1:3, 1:4], labels[5, 2:9], labels[0, 8] = 1, 4, 4
    found = Instances.from_labels(labels, scores=[0.5, 0.75])
    table = found.to_table(labels, np.arange(2), ("nucleus",))
    write_rois(labels, table, tmp_path / "a_rois.zip")
    assert is_rois(tmp_path / "a_rois.zip")
    read = read_rois(tmp_path / "a_rois.zip")
    np.testing.assert_array_equal(read.labels, labels)
    assert read.objects.loc[[0, 3], "score"].tolist() == [0.5, 0.75]


def test_regions_that_were_drawn_in_imagej_are_read(tmp_path):
    roifile = pytest.importorskip("roifile")
    square = roifile.ImagejRoi()
    square.roitype = roifile.ROI_TYPE.RECT
    square.left, square.top, square.right, square.bottom = 1, 1, 4, 3
    line = roifile.ImagejRoi.frompoints(np.array([[0, 0], [9, 9]]))
    line.roitype = roifile.ROI_TYPE.POLYLINE
    roifile.roiwrite(tmp_path / "a.zip", [line, square], name=["l", "0001-0002"])
    read = read_rois(tmp_path / "a.zip")
    assert read.labels.tolist() == [[0] * 4, [0, 1, 1, 1], [0, 1, 1, 1]]
    assert read.objects["score"].isna().all()


def test_regions_of_several_planes_are_refused(tmp_path):
    roifile = pytest.importorskip("roifile")
    points = np.array([[1, 1], [4, 1], [4, 3]])
    regions = [roifile.ImagejRoi.frompoints(points, position=i) for i in (1, 2)]
    roifile.roiwrite(tmp_path / "a.zip", regions, name=["a", "b"])
    with pytest.raises(ValueError, match="2 planes of a stack"):
        read_rois(tmp_path / "a.zip")


@pytest.mark.parametrize(
    ("name", "read"), [("a.json", read_coco), ("a.geojson", read_geojson)]
)
@pytest.mark.parametrize("content", ["{", "[1]", '{"type": "Topology"}'])
def test_other_files_are_refused_in_one_sentence(tmp_path, name, read, content):
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=rf"{name} is n.*\.$"):
        read(tmp_path / name)
    assert not is_coco(tmp_path / name)


def test_a_mask_larger_than_its_image_is_refused(tmp_path):
    runs = {"size": [2, 3], "counts": [2, 9]}
    results = [{"image_id": 1, "segmentation": runs}]
    (tmp_path / "a.json").write_text(json.dumps(results))
    with pytest.raises(ValueError, match="runs of 11 pixels in all, and its image 2"):
        read_coco(tmp_path / "a.json")


def test_an_image_that_cannot_be_held_is_refused(tmp_path):
    results = [{"image_id": 1, "segmentation": [[0, 0, 1e6, 0, 1e6, 1e6]]}]
    (tmp_path / "a.json").write_text(json.dumps(results))
    with pytest.raises(ValueError, match="export the objects of a part"):
        read_coco(tmp_path / "a.json")
    ring = [[0, 0], [1e6, 0], [1e6, 1e6]]
    polygon = {"type": "Polygon", "coordinates": [ring]}
    (tmp_path / "a.geojson").write_text(json.dumps({"geometry": polygon}))
    with pytest.raises(ValueError, match="export the objects of a part"):
        read_geojson(tmp_path / "a.geojson")
