import dataclasses
import runpy
import sys
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pytest

from napari_pffnet.data.pack import read_pack, write_pack
from napari_pffnet.data.pairs import from_arrays

ROOT = Path(__file__).parents[2]


@pytest.fixture
def images():
    """A grey and a colour image with an object each."""
    rng = np.random.default_rng(0)
    arrays = [rng.integers(0, 256, shape) for shape in ((20, 30), (24, 24, 3))]
    labels = [np.zeros(array.shape[:2], int) for array in arrays]
    for truth in labels:
        truth[3:9, 4:12] = 1
        truth[10:15, 2:9] = 2
    return from_arrays(arrays, labels, names=["grey", "colour"])


def test_a_pack_gives_back_what_was_put_in(tmp_path, images):
    path = tmp_path / "new" / "pack.npz"
    size = write_pack(path, {"a/train": images, "a/val": images[:1], "b/train": []})
    assert size == path.stat().st_size
    sets = read_pack(path)
    assert [len(part) for part in sets.values()] == [2, 1, 0]
    for before, after in zip(images, sets["a/train"], strict=True):
        np.testing.assert_array_equal(before.image, after.image)
        np.testing.assert_array_equal(before.labels, after.labels)
        np.testing.assert_array_equal(before.class_ids, after.class_ids)
        assert before.name == after.name


def test_a_pack_that_is_too_large_is_refused_and_not_left(tmp_path, images):
    with pytest.raises(ValueError, match="MiB"):
        write_pack(tmp_path / "pack.npz", {"a/train": images}, max_bytes=100)
    assert list(tmp_path.iterdir()) == []


def test_what_a_pack_cannot_hold_is_refused(tmp_path, images):
    known = dataclasses.replace(images[0], ignore=np.zeros((20, 30), bool))
    with pytest.raises(ValueError, match="grey"):
        write_pack(tmp_path / "pack.npz", {"a/train": [known]})
    with pytest.raises(ValueError, match=r"\.npz"):
        write_pack(tmp_path / "pack.zip", {"a/train": images})


def test_other_archives_are_no_packs(tmp_path):
    np.savez(tmp_path / "other.npz", x=np.zeros(3))
    with pytest.raises(ValueError, match="no pack"):
        read_pack(tmp_path / "other.npz")


def test_one_part_of_a_pack_is_read(tmp_path, images):
    path = tmp_path / "p.npz"
    write_pack(path, {"a/train": images, "a/val": images[:1], "b/train": []})
    train = read_pack(path, part="train")
    assert {name: len(part) for name, part in train.items()} == {"a": 2, "b": 0}
    assert list(read_pack(path, part="val")) == ["a"]
    with pytest.raises(ValueError, match=r"test.*a/train"):
        read_pack(path, part="test")


def write_pair(folder, images):
    for kind in ("images", "labels"):
        (folder / kind).mkdir(parents=True)
    imageio.imwrite(folder / "images" / "x.png", images[0].image)
    imageio.imwrite(folder / "labels" / "x.png", images[0].labels.astype(np.uint16))


def test_the_recipe_packs_both_sets(tmp_path, images, monkeypatch, capsys):
    for name in ("bbbc039", "dsb2018"):
        for part in ("train", "val"):
            write_pair(tmp_path / "data" / name / part, images)
    monkeypatch.chdir(tmp_path)
    options = ["--data", "data", "--out", "out.npz"]
    monkeypatch.setattr(sys, "argv", ["pack.py", *options])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(ROOT / "recipes" / "pack.py"), run_name="__main__")
    assert end.value.code == 0
    assert "bbbc039/val: 1 images" in capsys.readouterr().out
    assert len(read_pack(tmp_path / "out.npz")) == 4
