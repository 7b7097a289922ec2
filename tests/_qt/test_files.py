"""Files that go through napari and this plugin, out and in again."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from napari_pffnet._qt.layers import METADATA_KEY, features_from_table
from napari_pffnet._qt.readers import coco_reader, labels_reader, rois_reader
from napari_pffnet._qt.writers import write_coco_json
from napari_pffnet.export.labels import write_labels, write_semantic
from napari_pffnet.export.large import write_ome_zarr
from napari_pffnet.instances import Instances

PLUGIN = "napari-pffnet"


@pytest.fixture
def instances(viewer):
    """A layer with two objects and their table, as Segment makes it."""
    labels = np.zeros((20, 30), np.int32)
    labels[2:8, 3:9], labels[10:20, 12:25] = 1, 2
    labels[4, 5] = 0
    found = Instances.from_labels(labels, [1, 2], [0.9, 0.5], [0.8, 0.6])
    table = found.to_table(labels, np.arange(2), ("nucleus", "cell"))
    return viewer.add_labels(
        labels, name="a instances", features=features_from_table(table)
    )


def reopened(viewer, path):
    (layer,) = viewer.open(path, plugin=PLUGIN)
    assert layer.dtype == np.int32
    return layer


def test_labels_are_saved_and_opened_with_their_table(viewer, instances, tmp_path):
    instances.scale, instances.units = (0.5, 0.5), ("um", "um")
    saved = instances.save(str(tmp_path / "a_labels.tif"), plugin=PLUGIN)
    assert saved[0] == str(tmp_path / "a_labels.tif")
    assert (tmp_path / "a_objects.csv").is_file()
    layer = reopened(viewer, tmp_path / "a_labels.tif")
    np.testing.assert_array_equal(layer.data, instances.data)
    pd.testing.assert_frame_equal(
        layer.features, instances.features, check_dtype=False, rtol=1e-5
    )
    assert layer.name.startswith("a instances")
    assert layer.scale.tolist() == [0.5, 0.5]
    assert str(layer.units[0]) == "micrometer"
    assert layer.metadata[METADATA_KEY]["classes"] == ["nucleus", "cell"]


@pytest.mark.parametrize(
    ("shape", "scale"), [((20, 30), (2, 3)), ((4, 20, 30), (1, 2, 3))]
)
def test_labels_lie_on_their_image_and_keep_the_size_of_their_pixels(
    viewer, tmp_path, shape, scale
):
    labels = np.ones((20, 30), np.int32)
    write_labels(labels, tmp_path / "a_labels.tif", pixel_size_um=0.5)
    viewer.add_image(np.zeros(shape), name="a", scale=scale)
    viewer.add_image(np.zeros((20, 30)), name="another", scale=(7, 7))
    layer = reopened(viewer, tmp_path / "a_labels.tif")
    assert layer.scale.tolist() == [2, 3]
    assert [str(unit) for unit in layer.units] == ["pixel", "pixel"]
    layer.save(str(tmp_path / "b_labels.tif"), plugin=PLUGIN)
    assert reopened(viewer, tmp_path / "b_labels.tif").scale.tolist() == [0.5, 0.5]


def test_of_an_image_of_another_size_labels_know_nothing(viewer, tmp_path):
    write_labels(np.ones((20, 30), int), tmp_path / "a_labels.tif", pixel_size_um=0.5)
    viewer.add_image(np.zeros((20, 31)), name="a", scale=(2, 3))
    assert reopened(viewer, tmp_path / "a_labels.tif").scale.tolist() == [0.5, 0.5]


def test_a_pyramid_is_opened_level_by_level(viewer, tmp_path, monkeypatch):
    monkeypatch.setattr("napari_pffnet.readback.labels._LAZY_FROM", 0)
    labels = np.repeat(np.arange(3, dtype=np.int32), 600)[None].repeat(700, axis=0)
    path = tmp_path / "a_labels.zarr"
    write_ome_zarr(
        lambda rows, columns: labels[rows, columns],
        labels.shape,
        labels.dtype,
        path,
        name="a",
        pixel_size_um=0.5,
    )
    table = pd.DataFrame({"label": [1, 2], "quality": [0.5, 0.9]})
    table.to_csv(tmp_path / "a_objects.csv", index=False)
    layer = reopened(viewer, path)
    assert layer.multiscale
    assert layer.data[0].shape == labels.shape
    assert layer.features["quality"].tolist()[1:] == [0.5, 0.9]
    assert layer.scale.tolist() == [0.5, 0.5]
    assert layer.get_value((0, 350), world=True)[1] == 1
    assert labels_reader(str(tmp_path)) is None


def test_a_verdict_is_saved_with_the_table(viewer, instances, tmp_path):
    instances.features = instances.features.assign(verdict=["", "accepted", ""])
    instances.save(str(tmp_path / "a.tif"), plugin=PLUGIN)
    layer = reopened(viewer, tmp_path / "a_objects.csv")
    assert layer.features["verdict"].tolist() == ["", "accepted", ""]


def test_labels_beside_the_chosen_name_are_not_replaced(instances, tmp_path):
    (tmp_path / "a_labels.tif").write_text("precious")
    with pytest.raises(FileExistsError, match="exists already"):
        instances.save(str(tmp_path / "a.tif"), plugin=PLUGIN)
    assert (tmp_path / "a_labels.tif").read_text() == "precious"


@pytest.mark.parametrize("name", ["a.tif", "a_labels.tif"])
def test_a_table_of_other_labels_is_not_replaced(instances, tmp_path, name):
    table = tmp_path / "a_objects.csv"
    table.write_text("precious")
    with pytest.raises(FileExistsError, match="another name, or move that table"):
        instances.save(str(tmp_path / name), plugin=PLUGIN)
    assert table.read_text() == "precious"
    assert not (tmp_path / "a_labels.tif").exists()


def test_labels_are_replaced_together_with_their_table(viewer, instances, tmp_path):
    for name in ("nucleus", "cell"):
        instances.features["class"] = name
        instances.save(str(tmp_path / "a_labels.tif"), plugin=PLUGIN)
    layer = reopened(viewer, tmp_path / "a_labels.tif")
    assert layer.features["class"].tolist()[1:] == ["cell", "cell"]


@pytest.mark.parametrize("name", ["a.json", "a.geojson", "a.zip"])
def test_other_formats_bring_objects_and_confidences_back(
    viewer, instances, tmp_path, name
):
    instances.save(str(tmp_path / name), plugin=PLUGIN)
    layer = reopened(viewer, tmp_path / name)
    whole = np.where(instances.data[4, 5], 0, instances.data)
    if name == "a.zip":
        # Regions of ImageJ have no holes and end where the last of them ends.
        whole[4, 5] = 1
        whole = whole[:, :25]
    elif name == "a.json":
        assert layer.name == "a instances instances"
    np.testing.assert_array_equal(layer.data, whole)
    np.testing.assert_allclose(layer.features["confidence"], [np.nan, 0.72, 0.3])


@pytest.mark.parametrize("name", ["a_labels.tif", "a.json", "a.geojson", "a.zip"])
def test_labels_without_a_table_can_be_saved_too(viewer, tmp_path, name):
    labels = np.zeros((6, 6), np.uint8)
    labels[1:3, 1:3], labels[4:, 4:] = 3, 7
    viewer.add_labels(labels).save(str(tmp_path / name), plugin=PLUGIN)
    layer = reopened(viewer, tmp_path / name)
    np.testing.assert_array_equal(layer.data > 0, labels > 0)
    assert layer.features["confidence"].isna().all()


def test_a_stack_is_saved_as_labels_and_refused_elsewhere(viewer, tmp_path):
    labels = np.zeros((3, 5, 5), np.int32)
    labels[1, 2:4, 2:4] = 1
    stack = viewer.add_labels(labels)
    stack.save(str(tmp_path / "a_labels.tif"), plugin=PLUGIN)
    layer = reopened(viewer, tmp_path / "a_labels.tif")
    np.testing.assert_array_equal(layer.data, labels)
    assert layer.features.loc[1, ["z", "area"]].tolist() == [1, 4]
    with pytest.raises(ValueError, match="holds one plane"):
        write_coco_json(str(tmp_path / "a.json"), *stack.as_layer_data_tuple()[:2])


def test_a_class_map_opens_as_labels_with_the_record_of_its_run(viewer, tmp_path):
    write_semantic(np.array([[0, 1], [2, 1]], np.uint8), tmp_path / "a_semantic.tif")
    (tmp_path / "a_run.json").write_text('{"program": "x"}')
    (layer,) = viewer.open(tmp_path / "a_semantic.tif", plugin=PLUGIN)
    assert layer.data.tolist() == [[0, 1], [2, 1]]
    assert layer.name == "a semantic"
    assert layer.metadata[METADATA_KEY]["record"] == {"program": "x"}


def test_json_and_zip_of_other_kinds_are_left_to_others(tmp_path):
    (tmp_path / "a.json").write_text('{"some": "settings"}')
    (tmp_path / "a.zip").write_bytes(b"PK\5\6" + bytes(18))
    assert coco_reader(str(tmp_path / "a.json")) is None
    assert rois_reader(str(tmp_path / "a.zip")) is None
