import json

import imageio.v3 as iio
import numpy as np
import pytest
from scipy import ndimage

from napari_pffnet.config import DataConfig, ModelConfig
from napari_pffnet.data.coco_masks import RunLengths, paint_annotations
from napari_pffnet.data.pairs import load_pairs
from napari_pffnet.data.prepare import ReadRules

SQUARE = [[2, 3, 8, 3, 8, 9, 2, 9]]
"""Columns 2 to 7, rows 3 to 8."""


def blob(seed, shape=(40, 30)):
    rng = np.random.default_rng(seed)
    return ndimage.gaussian_filter(rng.random(shape), 3) > 0.5


def write_file(folder, annotations, *, categories=("cell",), names=("a", "b")):
    """Write flat images of 20 x 30 pixels (Y, X) and a COCO file about them."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for name in names:
        pixels = np.random.default_rng(0).integers(0, 255, (20, 30), np.uint8)
        iio.imwrite(folder / "images" / f"{name}.png", pixels)
    content = {
        "images": [
            {"id": i, "file_name": f"{name}.png", "width": 30, "height": 20}
            for i, name in enumerate(names, 1)
        ],
        "annotations": [
            {"id": i, "image_id": 1, "category_id": 7, "iscrowd": 0, **values}
            for i, values in enumerate(annotations, 1)
        ],
        "categories": [
            {"id": number, "name": name} for number, name in enumerate(categories, 7)
        ],
    }
    path = folder / "cells.json"
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize("seed", range(5))
def test_run_lengths_are_those_of_pycocotools(seed):
    coco = pytest.importorskip("pycocotools.mask")
    mask = blob(seed)
    packed = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    changes = np.flatnonzero(np.diff(mask.ravel("F"), prepend=False))
    runs = np.diff(changes, prepend=0, append=mask.size).tolist()
    for counts in (packed["counts"].decode(), runs):
        rle = RunLengths(size=mask.shape, counts=counts)
        painted = paint_annotations([rle], [False], mask.shape)
        np.testing.assert_array_equal(painted.labels > 0, mask)


@pytest.mark.parametrize("seed", range(20))
def test_polygons_are_those_of_pycocotools_up_to_the_pixels_at_the_edge(seed):
    coco = pytest.importorskip("pycocotools.mask")
    rng = np.random.default_rng(seed)
    angles = np.sort(rng.uniform(0, 2 * np.pi, 12))
    radii = rng.uniform(12, 25, 12)
    corners = 30 + np.stack([radii * np.cos(angles), radii * np.sin(angles)], 1)
    mask = [corners.ravel().tolist()]
    theirs = coco.decode(coco.merge(coco.frPyObjects(mask, 50, 60))).astype(bool)
    ours = paint_annotations([mask], [False], (50, 60)).labels > 0
    near = np.ones((3, 3))
    edge = ndimage.binary_dilation(theirs, near) ^ ndimage.binary_erosion(theirs, near)
    assert not (ours ^ theirs)[~edge].any()
    assert (ours & theirs).sum() / (ours | theirs).sum() > 0.985


def test_a_polygon_covers_the_pixels_whose_centres_it_holds():
    labels = paint_annotations([SQUARE], [False], (20, 30)).labels
    expected = np.zeros((20, 30), np.int32)
    expected[3:9, 2:8] = 1
    np.testing.assert_array_equal(labels, expected)


def test_the_smaller_object_lies_on_top_and_a_crowd_is_ignored():
    inner = [[4, 5, 6, 5, 6, 7, 4, 7]]
    crowd = [[0, 0, 30, 0, 30, 5, 0, 5], [20, 10, 25, 10, 25, 15, 20, 15]]
    truth = paint_annotations([inner, SQUARE, crowd], [False, False, True], (20, 30))
    assert (truth.labels == 1).sum() == 4
    assert (truth.labels == 2).sum() == 32
    assert truth.ignore[12, 22]
    assert truth.ignore[0, 0]
    assert not truth.ignore[4, 4]


def test_a_file_becomes_training_images_and_unannotated_ones_are_background(tmp_path):
    path = write_file(
        tmp_path,
        [
            {"segmentation": SQUARE},
            {"segmentation": [[20, 0, 30, 0, 30, 10, 20, 10]], "iscrowd": 1},
        ],
    )
    one, other = load_pairs(path)
    assert (one.name, other.name) == ("a", "b")
    assert one.class_ids.tolist() == [1]
    assert (one.labels > 0).sum() == 36
    assert one.ignore.sum() == 100
    assert not other.labels.any()


def test_categories_become_the_classes_of_their_names(tmp_path):
    right = [[20, 3, 28, 3, 28, 9, 20, 9]]
    path = write_file(
        tmp_path,
        [
            {"segmentation": SQUARE, "category_id": 8},
            {"segmentation": right, "category_id": 7},
            {"segmentation": [[10, 12, 18, 12, 18, 18, 10, 18]], "category_id": 9},
        ],
        categories=("dead", "alive", "dirt"),
    )
    rules = ReadRules(model=ModelConfig(classes=("alive", "dead")))
    image = load_pairs(path, rules)[0]
    classes = {image.labels[5, x]: c for x, c in ((5, 1), (25, 2))}
    assert dict(enumerate(image.class_ids.tolist(), 1)) == classes
    # A category that is no class of the model teaches nothing.
    assert image.ignore[15, 15]


def test_several_categories_are_one_class_unless_the_model_has_more(tmp_path, caplog):
    path = write_file(
        tmp_path, [{"segmentation": SQUARE, "category_id": 8}], categories=("x", "y")
    )
    assert load_pairs(path)[0].class_ids.tolist() == [1]
    assert "the categories x, y count as one" in caplog.text


def test_images_are_found_beside_the_file_or_where_the_user_says(tmp_path):
    path = write_file(tmp_path / "one", [{"segmentation": SQUARE}])
    moved = tmp_path / "elsewhere"
    (tmp_path / "one" / "images").rename(moved)
    with pytest.raises(ValueError, match=r"None of the 2 images .* --images"):
        load_pairs(path)
    rules = ReadRules(config=DataConfig(images=str(moved)))
    assert len(load_pairs(path, rules)) == 2
    path = path.rename(moved / "cells.json")
    assert len(load_pairs(path)) == 2


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "has no segmentation; a box is not enough"),
        ({"segmentation": [[1, 2, 3, 4]]}, "has 4 coordinates"),
        (
            {"segmentation": {"size": [30, 20], "counts": [600]}},
            "does not fit the image of 20 x 30",
        ),
        (
            {"segmentation": {"size": [20, 30], "counts": [5, 6]}},
            "runs of 11 pixels in all",
        ),
        ({"segmentation": "mask.png"}, r"annotations\.0\.segmentation"),
    ],
)
def test_what_is_wrong_with_a_mask_is_said(tmp_path, values, message):
    with pytest.raises(ValueError, match=message):
        load_pairs(write_file(tmp_path, [values]))


def test_what_is_wrong_with_a_file_is_said(tmp_path):
    path = write_file(tmp_path, [{"segmentation": SQUARE}])
    (tmp_path / "images" / "b.png").unlink()
    with pytest.raises(ValueError, match=r"b: It is annotated, and there is no"):
        load_pairs(path)
    rules = ReadRules(model=ModelConfig(classes=("x", "y")))
    with pytest.raises(ValueError, match=r"None of the categories .*\(x, y\)"):
        load_pairs(path, rules)
    path.write_text("[]")
    with pytest.raises(ValueError, match="holds no COCO annotations"):
        load_pairs(path)


def test_objects_without_a_pixel_of_their_own_are_told(tmp_path, caplog):
    thin = [[2.1, 3, 2.2, 3, 2.2, 9, 2.1, 9]]
    path = write_file(tmp_path, [{"segmentation": SQUARE}, {"segmentation": thin}])
    assert load_pairs(path)[0].labels.max() == 1
    assert "1 annotations have no pixel of their own" in caplog.text


def test_one_object_in_two_polygons_is_no_binary_mask(tmp_path, caplog):
    behind = [*SQUARE, [20, 3, 28, 3, 28, 9, 20, 9]]
    path = write_file(tmp_path, [{"segmentation": behind}])
    image = load_pairs(path)[0]
    assert image.labels[5, 5] == image.labels[5, 25] == 1
    assert "1 object is in several pieces (label 1)" in caplog.text
