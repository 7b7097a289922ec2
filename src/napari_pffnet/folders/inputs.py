"""Which images a run works on."""

from __future__ import annotations

import glob
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

IMAGE_SUFFIXES = (".png", ".tif", ".tiff", ".jpg", ".jpeg")
ZARR_SUFFIX = ".zarr"
LIST_SUFFIX = ".txt"
# Our own results are no images, although they may lie in the same folder.
_RESULTS = (
    "_labels.tif", "_semantic.tif", "_overlay.png", "_labels.zarr", "_semantic.zarr",
)  # fmt: skip


def find_images(inputs: Iterable[str]) -> list[Path]:
    """Return the image files behind paths, folders, patterns and lists, each once.

    Parameters
    ----------
    inputs
        Of a folder the images that lie directly in it are taken.  A list is a text
        file (``.txt``) with one path a line, seen from the folder of the list;
        empty lines and those that begin with ``#`` are left out.  What is named like
        a result of this program is taken only where its path is given.

    Raises
    ------
    ValueError
        If an input names nothing, or a folder holds no image.
    """
    found: dict[Path, Path] = {}
    for text in inputs:
        for path in _expand(text):
            # Links in a circle lead to one file on many paths.
            found.setdefault(path.parent.resolve() / path.name, path)
    return list(found.values())


def _expand(text: str) -> list[Path]:
    """Return the files behind one input."""
    if not text:
        # An unset variable of a shell, which a path would take for this folder.
        raise ValueError("An input is empty; name a file, a folder or a pattern.")
    path = Path(text)
    if path.is_dir() and not _is_zarr(path):
        return _images_in(path)
    if path.exists():
        is_list = path.suffix.lower() == LIST_SUFFIX
        return _images_of_list(path) if is_list else [path]
    matches = [Path(match) for match in sorted(glob.glob(text, recursive=True))]
    files = [match for match in matches if match.is_file() or _is_zarr(match)]
    if not files:
        raise ValueError(
            f"There is no file, folder or pattern {text!r}; check the path."
        )
    images = [file for file in files if not file.name.endswith(_RESULTS)]
    if not images:
        raise ValueError(
            f"All files of {text!r} are named like results of this program; name "
            "those that are images one by one."
        )
    return images


def _images_in(folder: Path) -> list[Path]:
    """Return the images that lie directly in a folder, in order of their names."""
    images = [
        path
        for path in sorted(folder.iterdir())
        if (
            (path.suffix.lower() in IMAGE_SUFFIXES and not path.is_dir())
            or _is_zarr(path)
        )
        and not path.name.startswith(".")
        and not path.name.endswith(_RESULTS)
    ]
    if not images:
        raise ValueError(
            f"The folder {str(folder)!r} holds no image; "
            f"files that end in {', '.join((*IMAGE_SUFFIXES, ZARR_SUFFIX))} are taken."
        )
    return images


def _is_zarr(path: Path) -> bool:
    return path.suffix.lower() == ZARR_SUFFIX and path.is_dir()


def _images_of_list(path: Path) -> list[Path]:
    """Return the images that a text file names, in its order."""
    images = []
    for number, line in enumerate(_lines(path), 1):
        if not line or line.startswith("#"):
            continue
        image = path.parent / line
        if not image.is_file() and not _is_zarr(image):
            raise ValueError(
                f"Line {number} of {path} names {line!r}, which is no file; correct "
                "the line, or begin it with # to leave it out."
            )
        images.append(image)
    if not images:
        raise ValueError(f"The list {path} names no image; write one path a line.")
    return images


def _lines(path: Path) -> list[str]:
    """Return the lines of a text file; editors on Windows put a mark before them."""
    try:
        return [line.strip() for line in path.read_text("utf-8-sig").splitlines()]
    except UnicodeDecodeError as error:
        raise ValueError(
            f"The list {path} is no text in UTF-8; save it as such."
        ) from error
