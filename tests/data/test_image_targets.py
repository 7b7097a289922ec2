import numpy as np
import pytest
import torch

from napari_pffnet.data.targets import image_target, label_boxes_xyxy


def test_objects_are_numbered_densely_with_half_open_boxes():
    labels = np.zeros((8, 10), np.int32)
    labels[1:4, 2:7] = 5
    labels[5:8, 7:10] = 9
    target = image_target(labels)
    assert target.boxes.tolist() == [[2, 1, 7, 4], [7, 5, 10, 8]]
    assert target.areas.tolist() == [15, 9]
    assert target.class_ids.tolist() == [1, 1]
    assert target.label_map[2, 3] == 1
    assert target.label_map[6, 8] == 2
    assert not target.ignore.any()


def test_dtypes_are_those_of_the_seam():
    target = image_target(np.eye(4, dtype=np.uint16), min_area=1)
    dtypes = [target.label_map.dtype, target.boxes.dtype, target.class_ids.dtype]
    assert dtypes == [torch.int32, torch.float32, torch.int64]
    assert target.areas.dtype == torch.float32
    assert target.ignore.dtype == torch.bool


@pytest.mark.parametrize(("full_area", "kept"), [(20, True), (21, False)])
def test_pieces_under_30_percent_of_their_object_are_ignored(full_area, kept):
    labels = np.zeros((6, 6), int)
    labels[:2, :3] = 1  # 6 pixels are left: 30 % of 20, less of 21
    target = image_target(labels, full_areas=np.array([0.0, full_area]))
    assert len(target.boxes) == kept
    assert (target.label_map == 1).sum() == (6 if kept else 0)
    assert target.ignore.sum() == (0 if kept else 6)


def test_an_object_of_three_pixels_is_ignored_and_one_of_four_is_not():
    labels = np.zeros((4, 8), int)
    labels[0, :3] = 1
    labels[2, :4] = 2
    target = image_target(labels)
    assert target.areas.tolist() == [4]
    assert target.ignore[0].tolist() == [True] * 3 + [False] * 5


def test_nothing_is_known_under_the_ignore_map():
    labels = np.ones((4, 4), int)
    ignore = np.zeros((4, 4), bool)
    ignore[:, 2:] = True
    target = image_target(labels, ignore=ignore)
    assert target.boxes.tolist() == [[0, 0, 2, 4]]
    assert not target.label_map[:, 2:].any()
    assert target.ignore[:, 2:].all()
    assert not ignore[:, :2].any()  # the argument is as it was


def test_classes_go_with_their_labels():
    labels = np.repeat([[1, 3, 4]], 5, axis=0)
    classes = np.array([0, 2, 7, 1, 3])
    target = image_target(labels, class_ids_by_label=classes)
    assert target.class_ids.tolist() == [2, 1, 3]
    assert target.semantic[0].tolist() == [2, 1, 3]


def test_an_image_without_objects_has_empty_tensors():
    target = image_target(np.zeros((5, 5), np.uint8))
    assert target.boxes.shape == (0, 4)
    assert len(target.class_ids) == len(target.areas) == 0


def test_boxes_agree_with_the_pixels_of_each_object():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 5, (30, 30))
    for number, box in enumerate(label_boxes_xyxy(labels), start=1):
        rows, columns = np.nonzero(labels == number)
        expected = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        assert box.tolist() == expected
