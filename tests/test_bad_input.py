"""What is no ordinary image, label image or model: a case a row of bad_input.md."""

from __future__ import annotations

import os
import pickle
import struct
import zlib

import dask.array as da
import imageio.v3 as iio
import numpy as np
import pytest
import tifffile
from safetensors.torch import save_file

from napari_pffnet import Instances, evaluation, segment_planes
from napari_pffnet.cli import main
from napari_pffnet.data.axes import arrange
from napari_pffnet.data.normalize import intensity_limits, normalize
from napari_pffnet.data.pairs import check_folder, from_arrays
from napari_pffnet.data.readers import read_image, read_labels
from napari_pffnet.export.labels import write_labels
from napari_pffnet.segmentation import segment
from napari_pffnet.weights import load_model

from .segmentation.bright import bright_model, discs

TENTHS, _ = discs((90, 100), 20, 40)
IMAGE = np.round(TENTHS / 10).astype(np.uint8)  # 10 to 110: for every dtype
EXPECTED = segment(IMAGE, bright_model(), diameter=20).labels

LABELS = np.zeros((30, 40), np.int64)
LABELS[4:14, 4:14], LABELS[18:28, 20:30] = 1, 2
NOISE = np.random.default_rng(0).integers(0, 255, LABELS.shape, np.uint8)
HUGE = 2**64 - 1


def objects_of(image, **options):
    return segment(image, bright_model(), diameter=20, **options).labels


# ------------------------------------------------------------------ arrays


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    "kind", ["u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8"]
)
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


def test_planes_of_unknown_length_are_refused_with_the_remedy():
    with pytest.raises(ValueError, match=r"nan.*compute_chunk_sizes"):
        segment_planes(of_unknown_length(), bright_model(), axes="YX")


def test_masked_pixels_say_nothing_of_the_intensities_and_are_dark():
    image = np.ma.masked_array(IMAGE[..., None].astype(np.uint16))
    image[:5] = np.ma.masked
    image.data[:5] = 60000
    assert intensity_limits(image) == intensity_limits(IMAGE[5:, :, None])
    unit = normalize(arrange(image, "YXC").pixels)
    assert type(unit) is np.ndarray
    assert unit[:5].max() == 0
    assert image.data[0, 0] == 60000


# ------------------------------------------------------------------- files


def chunk(kind, data):
    return (
        struct.pack(">I", len(data))
        + kind
        + data
        + struct.pack(">I", zlib.crc32(kind + data))
    )


def png(width, height, content=b""):
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(content)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def tiff(width, height, *, next_page=0, samples=1):
    """Return a TIFF of one uncompressed strip, which begins at byte 8."""
    tags = {
        256: width, 257: height, 258: 8, 259: 1, 262: 1, 273: 8, 277: samples,
        278: height, 279: 100,
    }  # fmt: skip
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, n) for tag, n in tags.items())
    page = struct.pack("<H", len(tags)) + entries + struct.pack("<I", next_page)
    return b"II*\0" + struct.pack("<I", 8) + page + bytes(100)


def ome(*, size=10, physical="0.5", head="", channel="") -> bytes:
    text = (
        f'<?xml version="1.0"?>{head}<OME xmlns='
        '"http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0">'
        '<Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint8" '
        f'SizeX="{size}" SizeY="{size}" SizeC="1" SizeZ="1" SizeT="1" '
        f'PhysicalSizeX="{physical}"><Channel ID="Channel:0:0" Name="{channel}" '
        'SamplesPerPixel="1"/><TiffData IFD="0" PlaneCount="1"/></Pixels></Image></OME>'
    )
    return tiff_bytes(np.ones((10, 10), np.uint8), description=text, metadata=None)


def tiff_bytes(array, **options):
    from io import BytesIO

    file = BytesIO()
    tifffile.imwrite(file, array, **options)
    return file.getvalue()


def laughs():
    """Return a document type in which one word stands for a billion others."""
    words = "".join(
        f'<!ENTITY {after} "{f"&{before};" * 10}">'
        for before, after in zip("abcdefgh", "bcdefghi", strict=True)
    )
    return f'<!DOCTYPE l [<!ENTITY a "{"ha" * 9}">{words}]>'


PLAIN_TIFF = tiff_bytes(np.arange(10000, dtype=np.uint16).reshape(100, 100))
DAMAGED = {
    "empty.tif": (b"", "TIFF"),
    "text.tif": (b"no image at all", "TIFF"),
    "archive.tif": (b"PK\x03\x04" + bytes(90), "TIFF"),
    "postscript.png": (b"%!PS-Adobe-3.0 EPSF-3.0\n", "TIFF"),
    "short.tif": (PLAIN_TIFF[:9000], "20000 bytes"),
    "bomb.png": (png(60000, 60000), "60000 x 60000"),
    "large.png": (png(60000, 60000, bytes(40_000_000)), "cut it into parts"),
    "nothing.png": (png(0, 0), "0 x 0"),
    "bomb.tif": (tiff(100000, 100000), "cannot hold the 100000 x 100000"),
    "largest.tif": (tiff(2**32 - 1, 2**32 - 1), "cannot hold"),
    "samples.tif": (tiff(3000, 3000, samples=65535), "cannot hold"),
    "nothing.tif": (tiff(0, 0), "0 x 0"),
    "planes.ome.tif": (ome(size=10**5), "100000 x 100000"),
    "laughs.ome.tif": (ome(head=laughs(), channel="&i;"), "amplification"),
}
EACH_DAMAGED = pytest.mark.parametrize(
    ("name", "content", "said"),
    [(n, *rest) for n, rest in DAMAGED.items()],
    ids=DAMAGED,
)


@EACH_DAMAGED
@pytest.mark.parametrize("read", [read_image, read_labels])
def test_damaged_and_malicious_files_are_refused(
    read, name, content, said, tmp_path, caplog
):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match=said) as error:
        read(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
    assert caplog.records == []
    assert path.read_bytes() == content


def test_what_a_decoder_says_of_a_file_that_can_be_read_is_heard(tmp_path, caplog):
    (tmp_path / "circle.tif").write_bytes(tiff(10, 10, next_page=8))
    assert read_image(tmp_path / "circle.tif").array.shape == (10, 10)
    assert "circular" in caplog.text


@pytest.mark.parametrize("size", ["nonsense", "nan", "inf", "-1", "0"])
def test_a_pixel_size_that_means_nothing_is_unknown(size, tmp_path):
    (tmp_path / "a.ome.tif").write_bytes(ome(physical=size))
    file = read_image(tmp_path / "a.ome.tif")
    assert file.pixel_size_um is None
    assert file.array.all()


@pytest.mark.parametrize(("suffix", "real"), [(".tif", ".png"), (".png", ".tif")])
def test_a_wrong_suffix_does_not_matter(suffix, real, tmp_path):
    iio.imwrite(tmp_path / f"a{real}", IMAGE)
    (tmp_path / f"a{real}").rename(tmp_path / f"b{suffix}")
    np.testing.assert_array_equal(read_image(tmp_path / f"b{suffix}").array, IMAGE)


def test_inks_in_planes_become_rgb_and_five_inks_are_channels(tmp_path):
    ink = np.zeros((4, 20, 30), np.uint8)
    ink[1:3] = 255  # magenta and yellow
    options = {"photometric": "separated"}
    tifffile.imwrite(tmp_path / "a.tif", ink, planarconfig="separate", **options)
    file = read_image(tmp_path / "a.tif")
    red = arrange(file.array, file.axes)
    assert red.rgb
    assert red.pixels[0, 0].tolist() == [255, 0, 0]
    tifffile.imwrite(tmp_path / "b.tif", np.zeros((20, 30, 5), np.uint8), **options)
    assert read_image(tmp_path / "b.tif").axes == "YXC"


def test_a_folder_in_place_of_a_file_is_named(tmp_path):
    (tmp_path / "a.tif").mkdir()
    with pytest.raises(ValueError, match=r"a\.tif is a folder"):
        read_image(tmp_path / "a.tif")


# ---------------------------------------------------------- the command line


@pytest.fixture
def run(tmp_path, tiny_checkpoint):
    def segment_files(*words) -> int:
        out = ["--out", tmp_path / "out", "--model", tiny_checkpoint, "--quiet"]
        return main(["segment", *map(str, [*words, *out]), "--diameter", "28"])

    return segment_files


def test_a_folder_of_bad_files_fails_one_by_one_without_a_traceback(
    run, tmp_path, capfd
):
    folder = tmp_path / "bad"
    folder.mkdir()
    for name, (content, _) in DAMAGED.items():
        # Two files of one stem would be another mistake.
        (folder / name.replace(".", "_", 1).replace("_", ".", 1)).write_bytes(content)
    for name in ("bomb.png", "nothing.png"):
        (folder / name).rename(folder / f"png_{name}")
    (folder / "folder.tif").mkdir()
    os.symlink(folder / "circle.tif", folder / "circle.tif")
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    assert run(folder) == 1
    told = capfd.readouterr().err.splitlines()
    assert told[0] == f"{len(DAMAGED) + 1} failed:"
    assert len(told) == len(DAMAGED) + 2
    assert all(line.count(str(folder)) == 1 for line in told[1:])
    assert {path: path.read_bytes() for path in before} == before
    assert list((tmp_path / "out").glob("*")) == []


@pytest.mark.parametrize("name", ["two words", "größe", "細胞", "a[1]", "-b"])
def test_any_path_will_do(name, run, tmp_path):
    (tmp_path / name).mkdir()
    path = tmp_path / name / f"{name}.tif"
    tifffile.imwrite(path, IMAGE)
    assert run(path) == 0
    labels = tifffile.imread(tmp_path / "out" / f"{name}_labels.tif")
    assert labels.shape == IMAGE.shape


def test_links_in_a_circle_lead_to_each_image_once(run, tmp_path):
    folder = tmp_path / "images"
    (folder / "deep").mkdir(parents=True)
    iio.imwrite(folder / "deep" / "a.png", IMAGE)
    os.symlink(folder, folder / "deep" / "up")
    assert run(folder / "**" / "*.png") == 0
    os.symlink(tmp_path / "one", tmp_path / "two")
    os.symlink(tmp_path / "two", tmp_path / "one")
    assert run(tmp_path / "one") == 2


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
    assert evaluation.panoptic_quality(labels, labels).pq == 1
    found = Instances.from_labels(labels)
    assert len(found.paint().index) == 70000


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
    import torch

    from napari_pffnet.catalog import read_info

    path = tmp_path / "a.safetensors"
    save_file({"a": torch.zeros(1)}, path, {"format": "napari-pffnet", **header})
    with pytest.raises(ValueError, match=said):
        read_info(path)
