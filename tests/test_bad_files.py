"""Files that are damaged, malicious, misnamed or not there: see bad_input.md."""

from __future__ import annotations

import os
import struct
import zlib
from io import BytesIO

import imageio.v3 as iio
import numpy as np
import pandas as pd
import pytest
import tifffile

from napari_pffnet.cli import main
from napari_pffnet.data.axes import arrange
from napari_pffnet.data.readers import read_image, read_labels

IMAGE = np.random.default_rng(0).integers(0, 255, (64, 72), np.uint8)


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
    "claim.tif": (tiff(100000, 100000), "cannot hold the 100000 x 100000"),
    "largest.tif": (tiff(2**32 - 1, 2**32 - 1), "cannot hold"),
    "samples.tif": (tiff(3000, 3000, samples=65535), "cannot hold"),
    "void.tif": (tiff(0, 0), "0 x 0"),
    "planes.ome.tif": (ome(size=10**5), "100000 x 100000"),
    "laughs.ome.tif": (ome(head=laughs(), channel="&i;"), "amplification"),
}


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [(name, *rest) for name, rest in DAMAGED.items()],
    ids=DAMAGED,
)
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


def test_inks_in_planes_become_rgb(tmp_path):
    ink = np.zeros((4, 20, 30), np.uint8)
    ink[1:3] = 255  # magenta and yellow
    options = {"photometric": "separated", "planarconfig": "separate"}
    tifffile.imwrite(tmp_path / "a.tif", ink, **options)
    file = read_image(tmp_path / "a.tif")
    red = arrange(file.array, file.axes)
    assert red.rgb
    assert red.pixels[0, 0].tolist() == [255, 0, 0]


def test_a_folder_in_place_of_a_file_is_named(tmp_path):
    (tmp_path / "a.tif").mkdir()
    with pytest.raises(ValueError, match=r"a\.tif is a folder"):
        read_image(tmp_path / "a.tif")


# -------------------------------------------------------- the command line


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
        (folder / name).write_bytes(content)
    (folder / "folder.tif").mkdir()
    os.symlink(folder / "circle.tif", folder / "circle.tif")
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    assert run(folder) == 1
    told = capfd.readouterr().err.splitlines()
    assert told[0] == f"{len(DAMAGED) + 1} failed:"
    assert len(told) == len(DAMAGED) + 2
    assert all(line.startswith(f"  {folder}") for line in told[1:])
    assert {path: path.read_bytes() for path in before} == before
    # Only the tables, which name them all.
    left = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert left == ["run.json", "summary.csv"]
    assert len(pd.read_csv(tmp_path / "out" / "summary.csv")) == len(DAMAGED) + 1


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
