from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import psutil
import pytest
import tifffile
import zarr

from napari_pffnet.data import lazy
from napari_pffnet.data.lazy import open_image
from napari_pffnet.data.readers import read_image
from napari_pffnet.export.large import write_ome_zarr


@pytest.fixture(autouse=True)
def everything_is_large(monkeypatch):
    monkeypatch.setattr(lazy, "LAZY_FROM", 1)


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 60000, (70, 90), dtype=np.uint16)


PART = (slice(5, 40), slice(33, 64))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"byteorder": ">"},
        {"compression": "zlib", "rowsperstrip": 16},
        {"tile": (32, 32), "compression": "zlib"},
        {"tile": (32, 32), "bigtiff": True},
        {"ome": True, "metadata": {"axes": "YX", "PhysicalSizeX": 0.25}},
    ],
)
def test_of_a_large_tiff_a_part_is_read(tmp_path, image, options):
    path = tmp_path / "large.tif"
    tifffile.imwrite(path, image, photometric="minisblack", **options)
    file, whole = open_image(path), read_image(path)
    assert isinstance(file.array, lazy.TiffArray)
    assert file.array.shape == (70, 90)
    assert (file.axes, file.pixel_size_um) == (whole.axes, whole.pixel_size_um)
    np.testing.assert_array_equal(file.array[PART], image[PART])
    np.testing.assert_array_equal(file.array[::3, 1::7], image[::3, 1::7])


def test_colours_of_a_pyramid_are_read_at_full_size(tmp_path):
    colours = np.random.default_rng(0).integers(0, 255, (64, 96, 3), dtype=np.uint8)
    path = tmp_path / "slide.tif"
    with tifffile.TiffWriter(path) as tiff:
        options = {"photometric": "rgb", "tile": (32, 32), "compression": "zlib"}
        tiff.write(colours, subifds=1, **options)
        tiff.write(colours[::2, ::2], subfiletype=1, **options)
    file = open_image(path)
    assert file.axes == "YXS"
    np.testing.assert_array_equal(file.array[PART], colours[PART])


def test_colours_that_must_be_decoded_are_read_at_once(tmp_path, image):
    path = tmp_path / "inverted.tif"
    tifffile.imwrite(path, image, photometric="miniswhite")
    np.testing.assert_array_equal(open_image(path).array, ~image)


@pytest.mark.parametrize("version", [2, 3])
def test_a_zarr_array_is_read_part_by_part(tmp_path, image, version):
    path = tmp_path / "image.zarr"
    zarr.create_array(path, data=image, chunks=(32, 32), zarr_format=version)
    file = open_image(path)
    assert file.axes is None
    np.testing.assert_array_equal(file.array[PART], image[PART])


def test_an_ome_zarr_image_tells_its_axes_and_the_size_of_its_pixels(tmp_path, image):
    path = tmp_path / "image.zarr"
    write_ome_zarr(
        lambda y, x: image[y, x], (70, 90), np.uint16, path, name="a", pixel_size_um=0.5
    )
    file = open_image(path)
    assert (file.axes, file.pixel_size_um) == ("YX", 0.5)
    np.testing.assert_array_equal(file.array[PART], image[PART])


def test_channels_of_ome_zarr_have_names_also_in_version_5(tmp_path, image):
    path = tmp_path / "image.zarr"
    group = zarr.open_group(path, mode="w", zarr_format=3)
    group.create_array("full", data=np.stack([image, image]), chunks=(1, 32, 32))
    axes = [{"name": "c", "type": "channel"}, {"name": "y"}, {"name": "x"}]
    multiscale = {"axes": axes, "datasets": [{"path": "full"}]}
    channels = [{"label": "actin"}, {"label": "DAPI"}]
    told = {"multiscales": [multiscale], "omero": {"channels": channels}}
    group.attrs["ome"] = told
    file = open_image(path)
    assert (file.axes, file.channel_names) == ("CYX", ("actin", "DAPI"))


def test_ome_metadata_that_tell_nothing_leave_size_and_names_unknown(tmp_path, image):
    path = tmp_path / "image.zarr"
    group = zarr.open_group(path, mode="w", zarr_format=2)
    group.create_array("0", data=image, chunks=(32, 32))
    scale = {"type": "scale", "scale": []}
    multiscale = {
        "axes": [{"name": "y"}, {"name": "x", "unit": "micrometer"}],
        "datasets": [{"path": "0", "coordinateTransformations": [scale]}],
    }
    group.attrs.update(multiscales=[multiscale], omero={"channels": [None]})
    file = open_image(path)
    assert (file.axes, file.channel_names, file.pixel_size_um) == ("YX", (), None)
    np.testing.assert_array_equal(file.array[PART], image[PART])


def test_another_process_gets_the_path_and_not_the_pixels(tmp_path, image):
    path = tmp_path / "large.tif"
    tifffile.imwrite(path, image, tile=(32, 32), compression="zlib")
    file = open_image(path)
    np.testing.assert_array_equal(file.array[PART], image[PART])
    copied = pickle.dumps(file)
    assert len(copied) < 2000
    np.testing.assert_array_equal(pickle.loads(copied).array[PART], image[PART])


@pytest.fixture
def opened(monkeypatch):
    """The files whose pages are looked up."""
    paths, read = [], tifffile.imread

    def imread(path, **options):
        paths.append(path)
        return read(path, **options)

    monkeypatch.setattr(tifffile, "imread", imread)
    return paths


def test_the_pages_of_a_stack_are_looked_up_once(tmp_path, opened):
    stack = np.random.default_rng(0).integers(0, 255, (9, 20, 30), dtype=np.uint8)
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, stack, photometric="minisblack", compression="zlib")
    array = open_image(path).array
    with ThreadPoolExecutor(4) as pool:
        planes = list(pool.map(lambda z: array[z, :, 3:], [*range(9)] * 5))
    np.testing.assert_array_equal(planes, np.tile(stack[..., 3:], (5, 1, 1)))
    assert opened == [path]
    copied = pickle.loads(pickle.dumps(array))
    np.testing.assert_array_equal(copied[4, 2:], stack[4, 2:])
    assert opened == [path] * 2
    # Windows removes no file that is open.
    assert str(path) not in [file.path for file in psutil.Process().open_files()]
    path.unlink()
    with pytest.raises((ValueError, OSError), match=r"stack\.tif"):
        array[0, :, :]


def test_a_folder_that_is_no_image_is_refused_in_a_sentence(tmp_path):
    path = tmp_path / "other.zarr"
    zarr.open_group(path, mode="w")
    with pytest.raises(ValueError, match="neither a zarr array nor an OME-Zarr"):
        open_image(path)
    (tmp_path / "empty.zarr").mkdir()
    with pytest.raises(ValueError, match=r"empty\.zarr cannot be read"):
        open_image(tmp_path / "empty.zarr")


def test_a_damaged_part_is_told_with_its_file(tmp_path, image):
    path = tmp_path / "image.zarr"
    options = {"chunks": (70, 90), "compressors": None, "zarr_format": 2}
    zarr.create_array(path, data=image, **options)
    (path / "0.0").write_bytes(b"short")
    with pytest.raises(ValueError, match=r"image\.zarr cannot be read .* damaged"):
        open_image(path).array[PART]


def test_a_slide_of_which_nothing_was_written_is_all_zero(tmp_path):
    path = tmp_path / "labels.zarr"
    zarr.create_array(path, shape=(20_000, 20_000), chunks=(1000, 1000), dtype=np.int32)
    assert not np.asarray(open_image(path).array[:10, :10]).any()


def test_a_zarr_array_that_claims_more_than_its_files_hold_is_refused(tmp_path):
    path = tmp_path / "image.zarr"
    options = {"chunks": (1000, 1000), "dtype": np.uint8}
    zarr.create_array(path, shape=(10**9, 10**9), **options)
    with pytest.raises(ValueError, match="cannot hold the 1000000000 x 1000000000"):
        open_image(path)


def test_multiscales_without_an_array_are_refused_in_a_sentence(tmp_path):
    path = tmp_path / "image.zarr"
    zarr.open_group(path, mode="w").attrs["multiscales"] = []
    with pytest.raises(ValueError, match="its multiscales name no array"):
        open_image(path)


@pytest.mark.parametrize("read", [open_image, read_image])
def test_images_that_are_left_out_are_told_unless_they_are_smaller(
    tmp_path, image, read, caplog
):
    for name, others in (("slide", [image[:9]]), ("positions", [image[:9], image.T])):
        path = tmp_path / f"{name}.tif"
        with tifffile.TiffWriter(path) as tiff:
            for one in (image, *others):
                tiff.write(one, photometric="minisblack")
        assert read(path).array.shape == image.shape
    assert [r.message.partition(" holds ")[2][:8] for r in caplog.records] == [
        "3 images"
    ]
