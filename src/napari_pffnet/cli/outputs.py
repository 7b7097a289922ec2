"""Where results go: names, no overwriting by accident, no half files."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

RUN_RECORD = "run.json"


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


def check_free(paths: Iterable[Path], *, overwrite: bool, remedy: str = "") -> None:
    """Refuse to touch files that exist already, before anything is computed.

    Parameters
    ----------
    paths
        Files that are going to be written.
    overwrite
        Whether the user allows to replace them.
    remedy
        What the user may do beside that.

    Raises
    ------
    ValueError
        If one of the paths exists and ``overwrite`` is off.
    """
    taken = [path for path in paths if path.exists()]
    if taken and not overwrite:
        more = f" and {len(taken) - 1} more" if len(taken) > 1 else ""
        raise ValueError(
            f"{taken[0]}{more} exists already; give "
            f"{remedy + ', ' * bool(remedy)}--overwrite to replace, or another --out."
        )


@contextmanager
def written_whole(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """Offer a place to write files that appear only once all of them are whole.

    Yields the temporary path of each file.  If the block ends with an exception,
    Ctrl-C included, nothing of it stays.
    """
    folder = paths[0].parent
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder, prefix=".part-") as part:
        temporary = [Path(part) / path.name for path in paths]
        yield temporary
        for source, path in zip(temporary, paths, strict=True):
            os.replace(source, path)


def write_json(path: Path, content: Any) -> None:
    """Write a readable JSON file in one piece."""
    with written_whole([path]) as (temporary,):
        temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def read_records(path: Path, *, overwrite: bool) -> dict[str, Any]:
    """Return the records of earlier runs into the same folder, by stem.

    Raises
    ------
    ValueError
        If the file is not such a list and ``overwrite`` is off.
    """
    if not path.exists():
        return {}
    try:
        images = json.loads(path.read_text(encoding="utf-8"))["images"]
        return {Path(record["image"]).stem: record for record in images}
    except (ValueError, KeyError, TypeError) as error:
        if overwrite:
            return {}
        raise ValueError(
            f"{path} was not written by pffnet segment; "
            "give --overwrite to replace it, or another --out."
        ) from error
