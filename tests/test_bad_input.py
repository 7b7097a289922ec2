"""What is no ordinary image, label image or model: a case a row of bad_input.md."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import dask.array as da
import imageio.v3 as iio
import numpy as np
import pytest
import tifffile
import torch
from safetensors.torch import save_file

from napari_pffnet import Instances, evaluation, segment_planes
from napari_pffnet.catalog import read_info
from napari_pffnet.cli import main
from napari_pffnet.data.axes import arrange
from napari_pffnet.data.normalize import intensity_limits, normalize
from napari_pffnet.data.pairs import check_folder, from_arrays, load_pairs
from napari_pffnet.data.readers import read_labels
from napari_pffnet.export.labels import write_labels
from napari_pffnet.segmentation import segment
from napari_pffnet.weights import load_model

from .segmentation.bright import bright_model, discs

TENTHS, _ = discs((90, 100), 20, 40)
IMAGE = np.round(TENTHS / 10).astype(np.uint8)  # 10 to 110: for every dtype
EXPECTED = segment(IMAGE, bright_model(), diameter=20).labels

NUMBERS = ["u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8"]

LABELS = np.zeros((30, 40), np.int64)
LABELS[4:14, 4:14], LABELS[18:28, 20:30] = 1, 2
NOISE = np.random.default_rng(0).integers(0, 255, LABELS.shape, np.uint8)
HUGE = 2**64 - 1


def objects_of(image, **options):
    return segment(image, bright_model(), diameter=20, **options).labels


# ------------------------------------------------------------------ arrays


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", NUMBERS)
def test_all_numbers_in_either_byte_order_give_the_same_objects(kind, order):
    np.testing.assert_array_equal(objects_of(IMAGE.astype(order + kind)), EXPECTED)


def with_holes():
    image = IMAGE.astype(np.float32)
    image[:2], image[2:4], image[4:6] = np.nan, np.inf, -np.inf
    return image


def read_only():
    image = IMAGE.copy()
    image.flags.writeable = False
    return image


def of_unknown_length():
    lazy = da.from_array(IMAGE, chunks=40)
    return lazy[lazy[:, 0] >= 0]


UNUSUAL = {
    "read-only": read_only(),
    "Fortran order": np.asfortranarray(IMAGE),
    "every other pixel of a larger one": np.kron(IMAGE, np.ones((2, 2), int))[::2, ::2],
    "backwards": IMAGE[::-1, ::-1].copy()[::-1, ::-1],
    "NaN and inf": with_holes(),
    "five axes": IMAGE[None, None, None],
    "RGBA": np.dstack([IMAGE] * 3 + [np.full_like(IMAGE, 9)]),
    "lists": IMAGE.tolist(),
    "dask": da.from_array(IMAGE, chunks=40),
    "dask of unknown length": of_unknown_length(),
}


@pytest.mark.parametrize("image", UNUSUAL.values(), ids=UNUSUAL)
def test_unusual_arrays_give_the_same_objects_and_stay_as_they_are(image):
    before = np.array(image, copy=True)
    np.testing.assert_array_equal(objects_of(image), EXPECTED)
    np.testing.assert_array_equal(np.asarray(image), before)


def test_a_bool_image_is_two_intensities():
    assert objects_of(IMAGE > 60).max() == EXPECTED.max()


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (IMAGE.astype(np.complex64), r"complex64 .* numpy\.abs"),
        (IMAGE.astype(object), "object .* convert"),
        (IMAGE.astype("datetime64[s]"), "datetime64"),
        (np.zeros((0, 30)), r"\(0, 30\) has no pixels"),
        (np.array(5), r"\(\) .*--axes"),
        (np.zeros(50), r"\(50,\) .*--axes"),
        (np.zeros((2, 3, 4, 30, 40)), r"\(2, 3, 4, 30, 40\) .*--axes"),
    ],
)
def test_what_is_no_image_is_refused_in_a_sentence(image, said):
    with pytest.raises(ValueError, match=said) as error:
        objects_of(image)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("image", ["cells.tif", Path("cells.tif")])
def test_a_path_in_place_of_an_image_is_called_one(image):
    with pytest.raises(ValueError, match=r"'cells\.tif' is a path .*segment_files"):
        objects_of(image)


def test_the_name_of_a_model_is_not_taken_for_one():
    with pytest.raises(ValueError, match=r"give load_model\('nuclei'\)"):
        segment(IMAGE, "nuclei")
    with pytest.raises(ValueError, match=r"give load_model\('nuclei'\)"):
        segment_planes(IMAGE, "nuclei", axes="YX")


def test_planes_of_unknown_length_are_computed_first():
    planes = segment_planes(of_unknown_length(), bright_model(), axes="YX", diameter=20)
    np.testing.assert_array_equal(planes.labels, EXPECTED)


def test_masked_pixels_say_nothing_of_the_intensities_and_are_dark():
    image = np.ma.masked_array(IMAGE[..., None].astype(np.uint16))
    image[:5] = np.ma.masked
    image.data[:5] = 60000
    assert intensity_limits(image) == intensity_limits(IMAGE[5:, :, None])
    unit = normalize(arrange(image, "YXC").pixels)
    assert type(unit) is np.ndarray
    assert unit[:5].max() == 0
    assert image.data[0, 0] == 60000


def test_a_masked_array_is_segmented_without_its_masked_pixels():
    image = np.ma.masked_array(IMAGE.astype(np.uint16))
    image[:5] = np.ma.masked
    image.data[:5] = 60000
    np.testing.assert_array_equal(objects_of(image), EXPECTED)
    planes = segment_planes(image, bright_model(), axes="YX", diameter=20)
    np.testing.assert_array_equal(planes.labels, EXPECTED)
    nothing = segment(np.ma.masked_all((50, 60), np.uint8), bright_model())
    assert "no finite pixel" in nothing.notes[0]


# ------------------------------------------------------------------- labels


def numbered(*numbers, dtype=np.int64):
    return np.array([0, *numbers], dtype)[LABELS]


@pytest.mark.parametrize(
    "labels",
    [
        numbered(2**31, 2**31 + 1),
        numbered(7, 2**62),
        numbered(HUGE - 1, HUGE, dtype=np.uint64),
        numbered(7, 900, dtype=">u2"),
        np.asfortranarray(numbered(5, 3)),
        numbered(1, 2, dtype=np.int8),
    ],
)
def test_labels_of_any_numbers_are_the_same_objects(labels, tmp_path):
    assert evaluation.aji_plus(LABELS, labels) == 1
    assert evaluation.object_hausdorff(labels, LABELS) == 0
    tifffile.imwrite(tmp_path / "a.tif", labels)
    np.testing.assert_array_equal(read_labels(tmp_path / "a.tif"), labels)
    (image,) = from_arrays([NOISE], [labels])
    assert evaluation.aji_plus(LABELS, image.labels) == 1
    assert Instances.from_labels(labels).areas.tolist() == [100, 100]


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (-LABELS, "hold -2"),
        (LABELS / 3, "hold 0.33"),
        (np.where(LABELS, np.nan, 0), "hold nan"),
        (np.where(LABELS, np.inf, 0).astype(np.float16), "hold inf"),
        (LABELS * 1e300, r"hold 1e\+300"),
        (LABELS.astype(complex), "complex128"),
        (np.dstack([LABELS] * 2), r"\(30, 40, 2\)"),
        (LABELS[:0], "30 x 40"),
    ],
)
def test_what_is_no_label_image_is_not_trained_on(labels, said):
    with pytest.raises(ValueError, match=said):
        from_arrays([NOISE], [labels])


@pytest.mark.parametrize("labels", [-LABELS, LABELS * 1.0, LABELS > 0, LABELS * 1j])
def test_what_is_no_label_image_is_not_evaluated(labels):
    with pytest.raises(ValueError, match="true_labels has"):
        evaluation.evaluate_image(labels, LABELS)


@pytest.mark.parametrize("labels", [-LABELS, LABELS * 1.0, LABELS[0], LABELS[None]])
def test_what_is_no_label_image_has_no_objects(labels):
    with pytest.raises(ValueError, match="0 for background"):
        Instances.from_labels(labels)


def test_a_mask_hides_labels():
    labels = np.ma.masked_array(LABELS, mask=LABELS == 2)
    (image,) = from_arrays([NOISE], [labels])
    np.testing.assert_array_equal(image.ignore, LABELS == 2)
    assert image.labels.max() == 1
    scores = evaluation.evaluate_image(labels, LABELS)
    assert (scores.n_true, scores.n_pred) == (1, 2)


def test_seventy_thousand_objects(tmp_path):
    labels = np.kron(np.arange(1, 70001).reshape(250, 280), np.ones((3, 3), int))
    write_labels(labels, tmp_path / "a.tif")
    np.testing.assert_array_equal(read_labels(tmp_path / "a.tif"), labels)
    scores = evaluation.evaluate_image(labels, labels)
    assert (scores.pq, scores.aji_plus, scores.object_hausdorff) == (1, 1, 0)
    found = Instances.from_labels(labels)
    assert len(found.paint().index) == 70000


def test_coco_annotations_of_an_absurd_size_take_no_memory(tmp_path):
    iio.imwrite(tmp_path / "a.png", NOISE)
    image = {"id": 1, "file_name": "a.png", "width": 10**9, "height": 10**9}
    content = {"images": [image], "annotations": [], "categories": []}
    (tmp_path / "a.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match="one size"):
        load_pairs(tmp_path / "a.json")


@pytest.mark.parametrize("number", [-1, 2**31, 2**40])
def test_numbers_that_a_label_file_does_not_hold_are_not_turned_round(number, tmp_path):
    with pytest.raises(ValueError, match=f"hold {number}"):
        write_labels(numbered(1, number), tmp_path / "a.tif")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_and_a_broken_link_among_the_labels_are_findings(tmp_path):
    for name in ("images", "labels"):
        (tmp_path / name / "folder.tif").mkdir(parents=True)
        iio.imwrite(tmp_path / name / "a.tif", LABELS.astype(np.uint8))
    iio.imwrite(tmp_path / "images" / "b.tif", NOISE)
    os.symlink(tmp_path / "gone.tif", tmp_path / "labels" / "b.tif")
    checked = check_folder(tmp_path)
    assert [image.name for image in checked.images] == ["a"]
    assert ["b.tif" in str(finding) for finding in checked.findings] == [True]


# ------------------------------------------------------------------- models


class Intruder:
    """Unpickling this makes a folder."""

    def __init__(self, path) -> None:
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("name", ["a.safetensors", "a.pt", "a.pkl"])
def test_a_model_that_is_a_program_does_not_run(name, tmp_path, capfd):
    trace = tmp_path / "trace"
    (tmp_path / name).write_bytes(pickle.dumps(Intruder(trace)))
    with pytest.raises(ValueError, match="never loaded"):
        load_model(tmp_path / name)
    words = ["segment", "--sample", "fluorescence", "--out", str(tmp_path / "out")]
    assert main([*words, "--model", str(tmp_path / name)]) == 2
    assert "never loaded" in capfd.readouterr().err
    assert not trace.exists()
    # It would have run, had it been unpickled.
    pickle.loads((tmp_path / name).read_bytes())
    assert trace.is_dir()


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ({"format_version": "one"}, "version one"),
        ({"format_version": "1", "info": "[" * 10**5}, "no valid description"),
        ({"format_version": "1", "info": "{}"}, "no valid description"),
    ],
)
def test_a_model_that_describes_itself_badly_is_refused(header, said, tmp_path):
    path = tmp_path / "a.safetensors"
    save_file({"a": torch.zeros(1)}, path, {"format": "napari-pffnet", **header})
    with pytest.raises(ValueError, match=said):
        read_info(path)
