from __future__ import annotations

import numpy as np
import pytest
import tifffile
import zarr

from napari_pffnet.export.large import write_ome_zarr, write_tiled_tiff

SHAPE = (1100, 2300)


@pytest.fixture
def labels():
    rng = np.random.default_rng(0)
    blocks = rng.integers(0, 90000, (11, 23), dtype=np.int32)
    return np.kron(blocks, np.ones((100, 100), np.int32))


@pytest.fixture
def paint(labels):
    def paint(rows, columns):
        assert (rows.stop - rows.start) * (columns.stop - columns.start) <= 1024**2
        return labels[rows, columns]

    return paint


def test_a_tiff_is_written_tile_by_tile(tmp_path, labels, paint):
    path = tmp_path / "labels.tif"
    write_tiled_tiff(paint, SHAPE, np.int32, path, pixel_size_um=0.5)
    np.testing.assert_array_equal(tifffile.imread(path), labels)
    with tifffile.TiffFile(path) as tiff:
        assert tiff.pages[0].is_tiled
        assert tiff.pages[0].tags["XResolution"].value[0] / 20000 == 1
    assert [file.name for file in tmp_path.iterdir()] == ["labels.tif"]


def test_ome_zarr_has_a_pyramid_whose_pixels_are_ids(tmp_path, labels, paint):
    path = tmp_path / "labels.zarr"
    write_ome_zarr(paint, SHAPE, np.int32, path, name="labels", pixel_size_um=0.5)
    group = zarr.open_group(path, mode="r")
    (multiscale,) = group.attrs["multiscales"]
    levels = [group[dataset["path"]] for dataset in multiscale["datasets"]]
    assert [level.shape for level in levels] == [
        (1100, 2300), (550, 1150), (275, 575), (138, 288),
    ]  # fmt: skip
    for number, level in enumerate(levels):
        step = 2**number
        np.testing.assert_array_equal(level[:], labels[::step, ::step])
    scales = [
        d["coordinateTransformations"][0]["scale"] for d in multiscale["datasets"]
    ]
    assert scales == [[0.5, 0.5], [1, 1], [2, 2], [4, 4]]
    assert "image-label" in group.attrs


def test_a_film_of_stacks_keeps_its_planes_in_every_level(tmp_path, labels):
    film = np.stack([np.stack([labels, labels + 1])] * 3)
    path = tmp_path / "film.zarr"
    write_ome_zarr(
        lambda rows, columns: film[..., rows, columns],
        film.shape,
        np.int32,
        path,
        name="film",
        axes="TZ",
        pixel_size_um=0.5,
    )
    group = zarr.open_group(path, mode="r")
    (multiscale,) = group.attrs["multiscales"]
    assert [axis["type"] for axis in multiscale["axes"]] == ["time", *["space"] * 3]
    assert "".join(axis["name"] for axis in multiscale["axes"]) == "tzyx"
    second = multiscale["datasets"][1]
    assert second["coordinateTransformations"][0]["scale"] == [1, 1, 1, 1]
    np.testing.assert_array_equal(group[second["path"]][:], film[..., ::2, ::2])
    assert group["0"].chunks == (1, 1, 1024, 1024)


def test_nothing_is_written_where_nothing_is(tmp_path):
    path = tmp_path / "empty.zarr"
    write_ome_zarr(
        lambda y, x: np.zeros((y.stop - y.start, x.stop - x.start)),
        SHAPE,
        np.int32,
        path,
        name="empty",
    )
    assert not [
        f for f in path.rglob("*") if f.is_file() and not f.name.startswith(".")
    ]
    assert not zarr.open_group(path, mode="r")["0"][:].any()
