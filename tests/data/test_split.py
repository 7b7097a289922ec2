import numpy as np
import pytest

from napari_pffnet.data.split import split_image, split_validation
from napari_pffnet.data.training_image import TrainingImage


def annotated(labels, name="a"):
    labels = np.asarray(labels, np.int32)
    image = np.zeros((*labels.shape, 3), np.uint8)
    classes = np.arange(1, labels.max() + 1)
    return TrainingImage(image, labels, None, classes, name)


def images(count):
    return [annotated(np.ones((4, 4)), str(i)) for i in range(count)]


@pytest.mark.parametrize(("count", "aside"), [(2, 1), (9, 1), (20, 2), (46, 5)])
def test_a_tenth_and_at_least_one_is_set_aside(count, aside):
    split = split_validation(images(count))
    assert len(split.validation) == aside
    names = [image.name for image in (*split.train, *split.validation)]
    assert sorted(names) == sorted(map(str, range(count)))


def test_the_split_is_decided_by_the_seed():
    def names(seed):
        split = split_validation(images(30), seed=seed)
        return [image.name for image in split.validation]

    assert names(1) == names(1)
    assert names(1) != names(2)


def test_images_with_objects_are_set_aside_but_not_the_last_one():
    empty = [annotated(np.zeros((4, 4)), f"empty {i}") for i in range(5)]
    split = split_validation([*empty, *images(2)])
    assert len(split.validation[0].class_ids) == 1
    split = split_validation([*empty, *images(1)])
    assert sum(len(image.class_ids) for image in split.train) == 1


def test_a_single_image_is_cut_along_its_longer_side():
    labels = np.zeros((10, 40), int)
    for i in range(8):
        labels[2:5, 5 * i + 1 : 5 * i + 4] = i + 1
    (train,), (validation,) = _parts(split_validation([annotated(labels)]))
    assert train.labels.shape == (10, 30)
    assert validation.labels.shape == (10, 10)
    assert train.class_ids.tolist() == [1, 2, 3, 4, 5, 6]
    assert validation.class_ids.tolist() == [7, 8]
    assert validation.labels[3, 2] == 1
    assert train.ignore is None


def test_objects_on_the_cut_are_ignored_on_both_sides():
    labels = np.zeros((40, 10), int)
    labels[5:36, 2:6] = 1
    labels[0:4, 2:6] = 2
    labels[36:39, 2:6] = 3
    (train,), (validation,) = _parts(split_image(annotated(labels)))
    assert train.class_ids.tolist() == [2]
    assert validation.class_ids.tolist() == [3]
    assert train.labels.max() == validation.labels.max() == 1
    assert train.ignore.sum() == 25 * 4
    assert validation.ignore.sum() == 6 * 4
    assert validation.labels.shape == (10, 10)


def test_validation_gets_the_end_that_holds_objects():
    labels = np.zeros((40, 10), int)
    labels[2:6, 2:6] = 1
    labels[12:16, 2:6] = 2
    labels[22:26, 2:6] = 3
    (train,), (validation,) = _parts(split_image(annotated(labels)))
    assert validation.class_ids.tolist() == [1]
    assert train.class_ids.tolist() == [2, 3]


def test_the_cut_goes_around_objects_where_it_can():
    labels = np.zeros((10, 96), int)
    for i in range(3):
        labels[2:8, 32 * i + 6 : 32 * i + 26] = i + 1
    (train,), (validation,) = _parts(split_image(annotated(labels)))
    assert len(train.class_ids) == 2
    assert len(validation.class_ids) == 1
    assert train.ignore is None
    assert validation.ignore is None


def test_nothing_to_split_is_said():
    with pytest.raises(ValueError, match="at least one"):
        split_validation([])
    with pytest.raises(ValueError, match="--val"):
        split_validation([annotated([[1]])])


def _parts(split):
    return split.train, split.validation
