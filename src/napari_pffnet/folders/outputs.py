"""Where results go: names, no overwriting by accident, no half files."""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import TYPE_CHECKING

from napari_pffnet.files import write_atomically
from napari_pffnet.folders.jobs import RECORD

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

PART = ".part-"
"""Begins the names of folders in which a run writes what is not yet whole."""


class CannotWriteError(OSError):
    """The folder of the results takes no more files; the run ends here."""


def check_stems(images: Iterable[Path]) -> None:
    """Refuse images whose results would have the same names.

    Raises
    ------
    ValueError
        If two images have the same name up to the suffix.
    """
    seen: dict[str, Path] = {}
    for path in images:
        # Many file systems do not tell A from a.
        other = seen.setdefault(path.stem.casefold(), path)
        if other != path:
            raise ValueError(
                f"The results of {other} and {path} would have the same names; "
                "rename one of the images or segment them into different folders."
            )


@contextmanager
def explained(folder: Path) -> Iterator[None]:
    """Say of an error that it ends the run, as the next image would meet it too.

    Raises
    ------
    CannotWriteError
        If the disk is full, the folder is gone, or may not be written to.
    """
    try:
        yield
    except OSError as error:
        # This is the fault of one image.
        if error.errno == errno.ENAMETOOLONG or isinstance(error, CannotWriteError):
            raise
        # Of a move: on Windows a file that is open in another program.
        place = f": {Path(error.filename2).name}" if error.filename2 else ""
        reason = f"{error.strerror or error}{place}"
        raise CannotWriteError(
            f"The results cannot be written into {folder} ({reason}); what was "
            "finished before is kept."
        ) from error


def make_folder(folder: Path) -> None:
    """Make the folder of the results, and try whether files can be written there."""
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        os.rmdir(mkdtemp(dir=folder, prefix=PART))


@contextmanager
def written_whole(
    paths: Sequence[Path], obsolete: Iterable[Path] = ()
) -> Iterator[list[Path]]:
    """Offer a place to write the files of an image, which appear once all are whole.

    Yields the temporary path of each file.  If the block ends with an exception,
    Ctrl-C included, nothing of it stays.

    Parameters
    ----------
    paths
        Files to write, all in one folder.  The last is the mark that the others are
        there: an older one goes first, and the new one comes last.
    obsolete
        Files that go as these come.
    """
    part = Path(mkdtemp(dir=paths[0].parent, prefix=PART))
    try:
        yield [part / path.name for path in paths]
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    for path in obsolete:
        _remove(path)
    # If this is broken off, `finish_killed` finds what is left to do.
    _put_in_place(part, paths)


def finish_killed(folder: Path) -> None:
    """Finish what a killed run was putting in place; remove what it left half.

    No other run may be writing into the folder.
    """
    with explained(folder):
        parts = [path for path in folder.glob(f"{PART}*") if path.is_dir()]
        # Of several for one image the newest holds.
        for part in sorted(parts, key=lambda path: -path.stat().st_mtime_ns):
            names = sorted(path.name for path in part.iterdir())
            record = next((name for name in names if name.endswith(RECORD)), None)
            # It is written last: where it is, the others are whole.
            if record is None or (folder / record).exists():
                shutil.rmtree(part)
            else:
                names.sort(key=lambda name: name == record)
                _put_in_place(part, [folder / name for name in names])


def _put_in_place(part: Path, paths: Sequence[Path]) -> None:
    paths[-1].unlink(missing_ok=True)
    for path in paths:
        if path.is_dir():
            _remove(path)
        os.replace(part / path.name, path)
    part.rmdir()


def _remove(path: Path) -> None:
    """Remove a file, or the folder that a zarr array is, if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file in one piece."""
    with TemporaryDirectory(dir=path.parent, prefix=PART) as part:
        whole = Path(part) / path.name
        write_atomically(whole, text.encode())
        os.replace(whole, path)
