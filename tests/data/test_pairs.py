import logging

import imageio.v3 as imageio
import numpy as np
import pytest
import tifffile

from napari_pffnet.config import DataConfig, ModelConfig
from napari_pffnet.data.checks import Problem
from napari_pffnet.data.pairs import (
    ReadRules,
    check_folder,
    from_arrays,
    load_pairs,
)


@pytest.fixture
def image():
    return np.linspace(0, 255, 1200).reshape(30, 40).astype(np.uint8)


@pytest.fixture
def labels():
    """Objects 3 and 8, each 6 x 6."""
    labels = np.zeros((30, 40), np.uint16)
    labels[2:8, 2:8] = 3
    labels[12:18, 20:26] = 8
    return labels


@pytest.fixture
def folder(tmp_path, image, labels):
    """One good pair, named a."""
    for kind, array in (("images", image), ("labels", labels)):
        (tmp_path / kind).mkdir()
        imageio.imwrite(tmp_path / kind / "a.png", array)
    return tmp_path


def problems(folder, rules=None):
    return [finding.problem for finding in check_folder(folder, rules).findings]


def test_a_good_pair_is_read(folder, image):
    (pair,) = load_pairs(folder)
    assert pair.name == "a"
    assert pair.image.shape == (30, 40, 3)
    assert pair.image.dtype == np.uint8
    assert pair.labels.dtype == np.int32
    assert pair.labels[3, 3] == 1
    assert pair.labels[13, 21] == 2
    assert pair.class_ids.tolist() == [1, 1]
    assert pair.ignore is None
    assert pair.unit_image.max() == 1


def test_suffixes_of_partners_may_differ(folder, image, labels):
    tifffile.imwrite(folder / "images" / "b.tif", image)
    imageio.imwrite(folder / "labels" / "b.png", labels)
    imageio.imwrite(folder / "images" / "c.jpg", image)
    tifffile.imwrite(folder / "labels" / "c.tiff", labels.astype(np.int32))
    assert [pair.name for pair in load_pairs(folder)] == ["a", "b", "c"]


def test_the_ignore_map_comes_along(folder, labels):
    (folder / "ignore").mkdir()
    imageio.imwrite(folder / "ignore" / "a.png", (labels == 8).astype(np.uint8))
    (pair,) = load_pairs(folder)
    assert pair.ignore.sum() == 36
    assert pair.ignore[13, 21]


def test_missing_partners_are_named(folder, image, labels):
    imageio.imwrite(folder / "images" / "alone.png", image)
    imageio.imwrite(folder / "labels" / "lost.png", labels)
    with pytest.raises(ValueError, match=r"(?s)alone: .*labels/.*lost: .*images/"):
        load_pairs(folder)
    assert problems(folder) == [Problem.PARTNER] * 2


def test_two_images_of_one_name_are_a_finding(folder, image):
    tifffile.imwrite(folder / "images" / "a.tif", image)
    assert problems(folder) == [Problem.PARTNER]


def test_a_folder_without_images_says_what_is_expected(tmp_path):
    with pytest.raises(ValueError, match=r"images.*\.png"):
        load_pairs(tmp_path)


def test_shapes_that_differ_are_named(folder, labels):
    imageio.imwrite(folder / "labels" / "a.png", labels[:, :20])
    with pytest.raises(ValueError, match=r"30 x 40.*30 x 20"):
        load_pairs(folder)


def test_integral_floats_are_labels_and_others_are_not(folder, labels):
    (folder / "labels" / "a.png").unlink()
    tifffile.imwrite(folder / "labels" / "a.tif", labels.astype(np.float32))
    assert load_pairs(folder)[0].labels.max() == 2
    tifffile.imwrite(folder / "labels" / "a.tif", labels / np.float32(2))
    with pytest.raises(ValueError, match=r"1\.5"):
        load_pairs(folder)
    tifffile.imwrite(folder / "labels" / "a.tif", np.full((30, 40), np.nan))
    assert problems(folder) == [Problem.FLOAT]


def test_negative_labels_are_refused(folder, labels):
    (folder / "labels" / "a.png").unlink()
    tifffile.imwrite(folder / "labels" / "a.tif", labels.astype(np.int16) - 1)
    with pytest.raises(ValueError, match=r"-1.*ignore/"):
        load_pairs(folder)


def test_colours_and_jpegs_are_no_labels(folder, image, labels):
    colors = np.stack([labels, labels * 2, labels * 3], axis=-1).astype(np.uint8)
    imageio.imwrite(folder / "labels" / "a.png", colors)
    assert problems(folder) == [Problem.COLOR]
    (folder / "labels" / "a.png").unlink()
    imageio.imwrite(folder / "labels" / "a.jpg", labels.astype(np.uint8))
    assert problems(folder) == [Problem.LOSSY]


def test_a_damaged_file_is_a_finding_and_the_others_are_read(folder, image, labels):
    (folder / "images" / "b.png").write_bytes(b"\x89PNG broken")
    imageio.imwrite(folder / "labels" / "b.png", labels)
    checked = check_folder(folder)
    assert [pair.name for pair in checked.images] == ["a"]
    assert [f.problem for f in checked.findings] == [Problem.UNREADABLE]


@pytest.mark.parametrize("value", [1, 255])
def test_a_binary_mask_is_refused_with_the_offer_to_split_it(folder, labels, value):
    imageio.imwrite(folder / "labels" / "a.png", np.uint8(value) * (labels > 0))
    with pytest.raises(ValueError, match="--split-binary"):
        load_pairs(folder)
    rules = ReadRules(config=DataConfig(split_binary=True))
    (pair,) = load_pairs(folder, rules)
    assert pair.labels.max() == 2
    assert len(pair.class_ids) == 2


def test_one_object_with_a_stray_pixel_is_no_binary_mask(image, labels, caplog):
    labels[labels == 8] = 0
    labels[29, 39] = 3
    (pair,) = from_arrays([image], [labels])
    assert len(pair.class_ids) == 1
    assert "several pieces (label 3)" in caplog.text


def test_images_without_objects_are_kept_as_negatives(image, caplog):
    (pair,) = from_arrays([image], [np.zeros((30, 40), int)])
    assert len(pair.class_ids) == 0
    assert "negative" in caplog.text


def test_pieces_and_tiny_objects_are_warnings_with_the_users_numbers(
    image, labels, caplog
):
    labels[25:28, 30:33] = 8
    labels[0, 30:33] = 77
    with caplog.at_level(logging.WARNING, "napari_pffnet"):
        (pair,) = from_arrays([image], [labels])
    assert len(pair.class_ids) == 3
    assert "1 object is in several pieces (label 8)" in caplog.text
    assert "smaller than 4 pixels (label 77)" in caplog.text


def test_many_errors_are_cut_short(image, labels):
    with pytest.raises(ValueError, match="and 4 more"):
        from_arrays([image] * 9, [labels[1:]] * 9)


def test_arrays_and_labels_have_to_be_as_many(image, labels):
    with pytest.raises(ValueError, match="2 images, 1 labels"):
        from_arrays([image, image], [labels])


def test_arrays_with_named_axes(image, labels):
    stack = np.stack([image, image.T.reshape(30, 40)])
    rules = ReadRules(config=DataConfig(axes="CYX", channels=(1,)))
    (pair,) = from_arrays([stack], [labels], rules=rules)
    (alone,) = from_arrays([stack[1]], [labels])
    np.testing.assert_array_equal(pair.image, alone.image)


def test_an_unclear_axis_is_a_finding(image, labels):
    with pytest.raises(ValueError, match=r"image 0: .*\(5, 30, 40\).*--axes"):
        from_arrays([np.stack([image] * 5)], [labels])


def test_the_choice_of_a_channel_is_told(image, labels, caplog):
    rules = ReadRules(config=DataConfig(axes="CYX"))
    from_arrays([np.stack([image] * 2)], [labels], rules=rules)
    assert "first (number 0)" in caplog.text


TWO_CLASSES = ReadRules(model=ModelConfig(classes=("cell", "nucleus")))


def test_classes_by_the_users_numbers(image, labels):
    (pair,) = from_arrays([image], [labels], classes=[{8: 2, 3: 1}], rules=TWO_CLASSES)
    assert pair.class_ids.tolist() == [1, 2]


def test_regions_of_a_mask_that_is_split_have_the_class_of_their_label(image, labels):
    rules = ReadRules(DataConfig(split_binary=True), TWO_CLASSES.model)
    mask = np.where(labels > 0, 7, 0)
    (pair,) = from_arrays([image], [mask], classes=[{7: 2}], rules=rules)
    assert pair.class_ids.tolist() == [2, 2]
    assert pair.ignore is None


def test_each_object_takes_the_class_of_most_of_its_pixels(image, labels):
    classes = np.where(labels == 8, 2, 0)
    classes[12:14, 20:26] = 1  # a third of label 8
    classes[2:8, 2:8] = 255  # votes for nothing ...
    classes[2, 2] = 1  # ... but one pixel does
    (pair,) = from_arrays([image], [labels], classes=[classes], rules=TWO_CLASSES)
    assert pair.class_ids.tolist() == [1, 2]


def test_objects_without_a_class_are_ignored(image, labels, caplog):
    (pair,) = from_arrays([image], [labels], classes=[{8: 2}], rules=TWO_CLASSES)
    assert pair.class_ids.tolist() == [2]
    assert pair.labels[13, 21] == 1
    assert pair.ignore.sum() == 36
    assert pair.ignore[3, 3]
    assert "1 objects have no class" in caplog.text


def test_a_class_that_the_model_lacks_is_refused(image, labels):
    with pytest.raises(ValueError, match="class 3"):
        from_arrays([image], [labels], classes=[{3: 3}], rules=TWO_CLASSES)


def test_several_classes_need_class_maps(folder, labels):
    with pytest.raises(ValueError, match="classes/"):
        load_pairs(folder, TWO_CLASSES)
    (folder / "classes").mkdir()
    imageio.imwrite(folder / "classes" / "a.png", (labels // 4).astype(np.uint8))
    assert problems(folder, TWO_CLASSES) == [Problem.CLASSLESS]


def test_real_images_are_read(shared_data):
    checked = check_folder(shared_data / "vnc_mitochondria" / "val")
    assert len(checked.images) == 2
    assert all(f.severity == "warning" for f in checked.findings)
