import os
import subprocess
import sys
import threading
from pathlib import Path

import dask
import dask.array as da
import numpy as np
import pytest

from napari_pffnet._qt import arrays
from napari_pffnet._qt.arrays import write_array
from napari_pffnet.worker.arrays import read_array


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    """Take pieces that are smaller than a row of what the tests write."""
    monkeypatch.setattr(arrays, "_PIECE", 100)


@pytest.mark.parametrize(
    "data",
    [
        np.arange(7 * 31 * 5, dtype=np.uint16).reshape(7, 31, 5),
        np.arange(600, dtype=">f4").reshape(20, 30)[::-1, ::3],
        np.asfortranarray(np.arange(600).reshape(20, 30)),
        np.ones((3, 2), bool),
        np.zeros((0, 4), np.int32),
    ],
)
def test_pixels_arrive_as_they_were(data, tmp_path):
    file = write_array(tmp_path, "image", data)
    arrived = read_array(file)
    assert file.kind == "npy"
    assert arrived.dtype == data.dtype
    np.testing.assert_array_equal(arrived, data)


def test_a_dask_array_is_not_computed_until_the_child_slices_it(tmp_path):
    computed = []

    def block(place):
        computed.append(place)
        return np.full((1, 4, 4), place)

    blocks = [da.from_delayed(dask.delayed(block)(i), (1, 4, 4), int) for i in range(9)]
    file = write_array(tmp_path, "image", da.concatenate(blocks))
    assert file.kind == "pickle"
    assert not computed
    np.testing.assert_array_equal(read_array(file)[3], np.full((4, 4), 3))


def test_a_zarr_array_on_disk_is_read_where_it_lies(tmp_path):
    zarr = pytest.importorskip("zarr")
    stored = zarr.open_array(tmp_path / "a.zarr", shape=(8, 8), dtype="u1", mode="w")
    stored[:] = np.arange(64).reshape(8, 8)
    file = write_array(tmp_path / "job", "image", stored)
    np.testing.assert_array_equal(read_array(file)[2:4], stored[2:4])


def test_an_array_that_cannot_be_pickled_is_copied(tmp_path):
    class Locked:
        def __init__(self, data):
            self.data, self.lock = data, threading.Lock()
            self.shape, self.size, self.dtype = data.shape, data.size, data.dtype

        def __getitem__(self, index):
            return self.data[index]

    data = np.arange(200).reshape(20, 10)
    file = write_array(tmp_path, "image", Locked(data))
    assert file.kind == "npy"
    np.testing.assert_array_equal(read_array(file), data)


def test_a_lazy_array_finds_the_modules_that_the_window_finds(tmp_path, monkeypatch):
    (tmp_path / "own_reader.py").write_text(
        "import numpy\ndef read():\n    return numpy.full((2, 2), 7)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    read = __import__("own_reader").read
    file = write_array(
        tmp_path / "job", "image", da.from_delayed(dask.delayed(read)(), (2, 2), int)
    )
    code = (
        "from napari_pffnet.messages import ArrayFile\n"
        "from napari_pffnet.worker.arrays import read_array\n"
        f"print(int(read_array(ArrayFile(**{file.model_dump()}))[0, 0].compute()))"
    )
    source = Path(__file__).parents[2] / "src"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(source)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "7", done.stderr


def test_objects_are_refused_with_a_sentence(tmp_path):
    with pytest.raises(ValueError, match="Python objects"):
        write_array(tmp_path, "image", np.array([{}, None]))
