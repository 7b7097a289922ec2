"""Files that are either whole or not there, and not replaced by accident."""

from __future__ import annotations

import glob
import hashlib
import json
import os
import secrets
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def hash_file(path: Path) -> str:
    """Return the sha256 of a file.

    Raises
    ------
    ValueError
        If it is a pipe or a device, which may never end.
    """
    if path.exists() and not path.is_file():
        raise ValueError(
            f"{path} is no file but a pipe, a device or a folder; save as a file what "
            "it holds, and name that."
        )
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_path(path: Path) -> str:
    """Return the sha256 of a file, or of the names and contents in a folder."""
    if not path.is_dir():
        return hash_file(path)
    digest = hashlib.sha256()
    for file in sorted(file for file in path.rglob("*") if file.is_file()):
        name = file.relative_to(path).as_posix()
        digest.update(f"{name} {hash_file(file)}\n".encode())
    return digest.hexdigest()


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a file to write to, which becomes ``path`` once it is whole.

    After an error, or Ctrl-C, the old file is still there and the new one is gone.
    The new one may be read and written by those who might use the old one, or any
    file that is made here; where ``path`` is a link, its target is replaced.
    """
    # Unlike Path.resolve it does not mind links in a circle.
    path = Path(os.path.realpath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not by tempfile, whose files only their owner may read, whatever the umask.
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    part.touch(exist_ok=False)
    try:
        yield part
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        # Windows has no such modes, and does not take away a file that is read-only.
        if sys.platform != "win32" and path.exists():
            shutil.copymode(path, part)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def remove_parts(path: Path) -> None:
    """Remove what killed processes have left of new versions of a file.

    Nobody else may be writing it.
    """
    path = Path(os.path.realpath(path))
    ending = "[0-9a-f]" * 8
    for part in path.parent.glob(f".{glob.escape(path.name)}.{ending}"):
        part.unlink(missing_ok=True)


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that a crash leaves the old or the new one, never a half."""
    with whole_file(path) as part:
        part.write_bytes(content)


def write_json(path: Path, content: Any) -> None:
    """Write a readable JSON file in one piece."""
    write_atomically(path, (json.dumps(content, indent=2) + "\n").encode())


def check_free(
    paths: Iterable[Path],
    *,
    overwrite: bool,
    remedy: str = "",
    problem: str = "exists already",
) -> None:
    """Refuse to touch files that exist, before anything is computed.

    Parameters
    ----------
    paths
        Files that are going to be written.
    overwrite
        Whether the user allows to replace them.
    remedy
        What the user may do beside that.
    problem
        What is wrong with a file that is there.

    Raises
    ------
    ValueError
        If one of the paths exists and ``overwrite`` is off.
    """
    if overwrite:
        return
    taken = [path for path in paths if path.exists()]
    if taken:
        more = f", like {len(taken) - 1} more of them" if len(taken) > 1 else ""
        raise ValueError(
            f"{taken[0]} {problem}{more}; give "
            f"{remedy + ', ' * bool(remedy)}--overwrite to replace, or another --out."
        )
