import imagecodecs
import imageio.v3 as imageio
import numpy as np
import pytest
import tifffile

from napari_pffnet.data.axes import arrange
from napari_pffnet.data.readers import read_image, read_labels


def noise(shape, dtype=np.uint16):
    values = np.random.default_rng(0).integers(0, 60000, shape)
    return (values % 256 if dtype == np.uint8 else values).astype(dtype)


@pytest.mark.parametrize(
    "compression",
    [None, "zlib", "lzw", "lzma", "packbits", "zstd", "webp", "jpeg2000", "jpegxl"],
)
def test_tiff_in_lossless_compressions(tmp_path, compression):
    image = noise((32, 48, 3), np.uint8)
    options = {"lossless": True} if compression in ("webp", "jpegxl") else {}
    if compression == "jpeg2000":
        options = {"reversible": True}
    tifffile.imwrite(
        tmp_path / "a.tif",
        image,
        photometric="rgb",
        compression=compression,
        compressionargs=options,
    )
    file = read_image(tmp_path / "a.tif")
    assert file.axes == "YXS"
    np.testing.assert_array_equal(file.array, image)


def test_tiff_in_jpeg_compression(tmp_path):
    image = np.full((32, 48), 77, np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", image, compression="jpeg")
    assert np.abs(read_image(tmp_path / "a.tif").array.astype(int) - 77).max() <= 2


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "i2", "f2", "f4", "f8"])
def test_tiff_of_any_dtype_and_byte_order(tmp_path, dtype, order):
    image = noise((20, 30)).astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", image, byteorder=order)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").array, image)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_bool_images(tmp_path, suffix):
    image = noise((20, 30)) > 30000
    path = tmp_path / f"a{suffix}"
    (imageio if suffix == ".png" else tifffile).imwrite(path, image)
    np.testing.assert_array_equal(read_image(path).array.astype(bool), image)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("samples", [1, 3, 4])
def test_png_keeps_its_bits(tmp_path, dtype, samples):
    image = noise((20, 30, samples), dtype).squeeze()
    path = tmp_path / "a.png"
    path.write_bytes(imagecodecs.png_encode(image))
    file = read_image(path)
    assert file.array.dtype == dtype
    np.testing.assert_array_equal(file.array, image)
    assert arrange(file.array, file.axes).rgb is (samples > 1)


def test_labels_of_a_palette_image_are_its_indices(tmp_path):
    from PIL import Image

    index = (np.arange(600) % 7).reshape(20, 30).astype(np.uint8)
    picture = Image.fromarray(index).convert("P")
    picture.putpalette([(i * 37) % 256 for i in range(768)])
    picture.save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_labels(tmp_path / "a.png"), index)
    assert read_image(tmp_path / "a.png").array.shape == (20, 30, 3)


def test_cmyk_becomes_rgb(tmp_path):
    from PIL import Image

    red = np.full((20, 30, 3), (250, 5, 5), np.uint8)
    Image.fromarray(red).convert("CMYK").save(tmp_path / "a.jpg", quality=95)
    array = read_image(tmp_path / "a.jpg").array
    assert array.shape == (20, 30, 3)
    assert np.abs(array.astype(int) - red).max() < 12

    ink = np.zeros((20, 30, 4), np.uint8)
    ink[..., 1:3] = 255  # magenta and yellow
    tifffile.imwrite(tmp_path / "a.tif", ink, photometric="separated")
    assert read_image(tmp_path / "a.tif").array[0, 0].tolist() == [255, 0, 0]


def test_palette_tiff_becomes_rgb(tmp_path):
    colors = np.zeros((3, 256), np.uint16)
    colors[:, 1] = (65535, 257, 0)
    index = np.ones((20, 30), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", index, photometric="palette", colormap=colors)
    file = read_image(tmp_path / "a.tif")
    assert file.axes == "YXS"
    assert file.array[0, 0].tolist() == [65535, 257, 0]
    np.testing.assert_array_equal(read_labels(tmp_path / "a.tif"), index)


def test_white_is_zero_is_turned_round(tmp_path):
    image = noise((20, 30), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", image, photometric="miniswhite")
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").array, 255 - image)
    np.testing.assert_array_equal(read_labels(tmp_path / "a.tif"), image)


def test_ome_says_axes_channels_and_pixel_size(tmp_path):
    metadata = {
        "axes": "CYX",
        "Channel": {"Name": ["GFP", "DAPI"]},
        "PhysicalSizeX": 325.0,
        "PhysicalSizeXUnit": "nm",
    }
    tifffile.imwrite(tmp_path / "a.ome.tif", noise((2, 20, 30)), metadata=metadata)
    file = read_image(tmp_path / "a.ome.tif")
    assert file.axes == "CYX"
    assert file.channel_names == ("GFP", "DAPI")
    assert file.pixel_size_um == pytest.approx(0.325)


def test_imagej_says_axes_channels_and_pixel_size(tmp_path):
    tifffile.imwrite(
        tmp_path / "a.tif",
        noise((2, 20, 30)),
        imagej=True,
        resolution=(4.0, 4.0),
        metadata={"axes": "CYX", "Labels": ["GFP", "DAPI"], "unit": "um"},
    )
    file = read_image(tmp_path / "a.tif")
    assert file.axes == "CYX"
    assert file.channel_names == ("GFP", "DAPI")
    assert file.pixel_size_um == pytest.approx(0.25)


def test_pages_without_meaning_stay_unclear(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", noise((5, 20, 30)), photometric="minisblack")
    file = read_image(tmp_path / "a.tif")
    assert file.axes is None
    with pytest.raises(ValueError, match=r"\(5, 20, 30\).*--axes"):
        arrange(file.array, file.axes)
    assert arrange(file.array, "CYX").pixels.shape == (20, 30, 5)


def test_samples_that_are_no_colours_are_channels(tmp_path):
    image = noise((20, 30, 5))
    tifffile.imwrite(
        tmp_path / "a.tif", image, photometric="minisblack", planarconfig="contig"
    )
    assert read_image(tmp_path / "a.tif").axes == "YXC"


def test_one_page_among_axes_of_length_one(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", noise((1, 1, 1, 20, 30)), imagej=True)
    file = read_image(tmp_path / "a.tif")
    assert arrange(file.array, file.axes).pixels.shape == (20, 30, 1)


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.jpg"])
@pytest.mark.parametrize("content", [b"", b"no image at all" * 9])
def test_a_damaged_file_is_named(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=name):
        read_image(tmp_path / name)


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.jpg"])
def test_a_file_that_breaks_off_is_named(tmp_path, name):
    path = tmp_path / name
    imageio.imwrite(path, noise((200, 300), np.uint8))
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(ValueError, match=name):
        read_image(path)


def test_unknown_and_missing_files_are_named(tmp_path):
    (tmp_path / "a.czi").write_bytes(b"x")
    with pytest.raises(ValueError, match=r"a\.czi.*\.png"):
        read_image(tmp_path / "a.czi")
    with pytest.raises(FileNotFoundError, match=r"b\.png"):
        read_image(tmp_path / "b.png")


def test_grey_labels_saved_as_colours_are_read(tmp_path):
    labels = (np.arange(600) % 7).reshape(20, 30).astype(np.uint8)
    imageio.imwrite(tmp_path / "a.png", np.stack([labels] * 3, axis=-1))
    np.testing.assert_array_equal(read_labels(tmp_path / "a.png"), labels)


def test_16_bit_labels(tmp_path):
    labels = noise((20, 30))
    imageio.imwrite(tmp_path / "a.png", labels)
    np.testing.assert_array_equal(read_labels(tmp_path / "a.png"), labels)
