import os
import stat
import sys

import pytest

from napari_pffnet.files import check_free, write_atomically

posix = pytest.mark.skipif(sys.platform == "win32", reason="modes are of POSIX")


def mode_of(path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def umask():
    """Return what sets the umask until the test ends."""
    before = os.umask(0)
    yield os.umask
    os.umask(before)


@posix
@pytest.mark.parametrize(("mask", "mode"), [(0o077, 0o600), (0o002, 0o664)])
def test_a_new_file_is_for_those_whom_the_umask_allows_it(mask, mode, umask, tmp_path):
    umask(mask)
    write_atomically(tmp_path / "new", b"1")
    assert mode_of(tmp_path / "new") == mode


@posix
@pytest.mark.parametrize("mode", [0o600, 0o666, 0o444])
def test_a_file_that_is_replaced_keeps_its_mode(mode, umask, tmp_path):
    umask(0o022)
    path = tmp_path / "old"
    path.write_bytes(b"1")
    path.chmod(mode)
    write_atomically(path, b"2")
    assert (path.read_bytes(), mode_of(path)) == (b"2", mode)


def test_what_a_link_leads_to_is_written(tmp_path):
    (tmp_path / "far").mkdir()
    target, link = tmp_path / "far" / "target", tmp_path / "link"
    target.write_bytes(b"old")
    os.symlink(target, link)
    write_atomically(link, b"new")
    assert target.read_bytes() == b"new"
    assert link.is_symlink()
    assert list((tmp_path / "far").iterdir()) == [target]


def test_a_link_in_a_circle_becomes_a_file(tmp_path):
    os.symlink(tmp_path / "circle", tmp_path / "circle")
    write_atomically(tmp_path / "circle", b"new")
    assert (tmp_path / "circle").read_bytes() == b"new"


def test_files_that_are_there_are_counted_in_a_sentence(tmp_path):
    paths = [tmp_path / name for name in "abc"]
    for path in paths:
        path.touch()
    with pytest.raises(ValueError, match="a exists already; give --overwrite"):
        check_free(paths[:1], overwrite=False)
    with pytest.raises(ValueError, match="a exists already, like 2 more of them; give"):
        check_free(paths, overwrite=False)
    check_free(paths, overwrite=True)
