"""Reviews on disk: a folder each, whole at any moment.

``review.json`` says what is reviewed and ``start.npz`` how it was at first; each step
is a file of its own in ``history``, put there by one rename.  That is all a review is
read from, so a crash between or within steps loses nothing.  ``labels.tif`` and
``objects.csv`` are the state for people and other programs, written a little later.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from datetime import UTC, datetime
from io import BytesIO, StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import pandas as pd
import tifffile
from pydantic import BaseModel, ConfigDict, ValidationError

from napari_pffnet.export.labels import write_objects
from napari_pffnet.files import write_atomically
from napari_pffnet.review.session import ReviewSession
from napari_pffnet.review.steps import StoredStep

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_HEADER, _START, _HISTORY = "review.json", "start.npz", "history"
_VERSION = 1


class Header(BaseModel):
    """What is reviewed.

    Attributes
    ----------
    image_key
        Of the image (`find.image_key`); "" if it was not known.
    name
        Of the layer.
    shape
        Of the labels.
    time
        When the review was begun, UTC.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: int = _VERSION
    image_key: str = ""
    name: str = ""
    shape: tuple[int, ...]
    time: str = ""


class ReviewFolder:
    """The files of one review.

    Raises
    ------
    ValueError
        If the folder holds no review, or one of a newer version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.header = _read_header(path)
        self._files = _step_files(path / _HISTORY)

    @classmethod
    def create(
        cls, path: Path, session: ReviewSession, *, name: str = "", image_key: str = ""
    ) -> ReviewFolder:
        """Write a new review; a number is put behind the name if the folder exists.

        Parameters
        ----------
        path
            Folder to make.
        session
            Before its first step; from now on its steps are kept here.
        name, image_key
            For the `Header`.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        header = Header(
            image_key=image_key,
            name=name,
            shape=session.labels.shape,
            time=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        # Filled under another name, so that a crash leaves no half review behind.
        draft = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
        try:
            (draft / _HISTORY).mkdir()
            write_atomically(draft / _START, _pack(session.labels, session.table))
            write_atomically(draft / _HEADER, header.model_dump_json().encode())
            draft.chmod(0o755)
            folder = cls(_rename_to_free(draft, path))
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
        session.keep_in(folder)
        return folder

    @property
    def last_change(self) -> float:
        """When the last step was made, seconds since 1970."""
        last = self._files[-1] if self._files else self.path / _HEADER
        return last.stat().st_mtime

    def append(self, step: StoredStep) -> None:
        """Keep a step: it is there as a whole or not at all.

        Raises
        ------
        ValueError
            If another window goes on with the same review.
        """
        number = int(self._files[-1].stem) + 1 if self._files else 1
        file = self.path / _HISTORY / f"{number:06d}.json"
        if file.exists():
            raise ValueError(
                f"The review in {self.path} goes on in another window; close one of "
                "the two and begin again here."
            )
        content = step.model_dump_json(exclude_defaults=True).encode()
        write_atomically(file, content)
        self._files.append(file)

    def history(self) -> Iterator[StoredStep]:
        """Read the steps in order."""
        for file in self._files:
            yield StoredStep.model_validate_json(file.read_bytes())

    def start(self) -> tuple[NDArray[np.int32], pd.DataFrame]:
        """Read labels and table as they were before the first step."""
        with np.load(self.path / _START, allow_pickle=False) as packed:
            text = packed["table"].tobytes().decode()
            labels = packed["labels"].astype(np.int32)
        columns = {"verdict": str, "class": str}
        table = pd.read_csv(StringIO(text), dtype=columns, keep_default_na=False,
                            na_values=[""])  # fmt: skip
        return labels, table

    def open(self) -> ReviewSession:
        """Return the review as it was left; its labels are a new array.

        Raises
        ------
        ValueError
            If a file is damaged.
        """
        try:
            labels, table = self.start()
            session = ReviewSession(labels, table, self)
            session.replay(self.history())
        except (OSError, KeyError, IndexError, ValidationError) as error:
            raise ValueError(
                f"The review in {self.path} is damaged: {error}. Move that folder "
                "away to begin a new review."
            ) from error
        return session

    def write_view(self, labels: NDArray[np.integer[Any]], table: pd.DataFrame) -> None:
        """Write ``labels.tif`` and ``objects.csv`` as they are now."""
        content = BytesIO()
        # Else a stack of three planes would be taken for a colour image.
        tifffile.imwrite(
            content,
            labels.astype(np.int32),
            compression="zlib",
            photometric="minisblack",
        )
        write_atomically(self.path / "labels.tif", content.getvalue())
        write_objects(table, self.path / "objects.csv")


def _read_header(path: Path) -> Header:
    """Return what a folder says of its review, refusing one of a newer version."""
    try:
        told = json.loads((path / _HEADER).read_bytes())
        # Before the rest: a newer version may hold what this one does not know.
        version = told.get("version", _VERSION) if isinstance(told, dict) else None
        if not (isinstance(version, int) and version > _VERSION):
            return Header.model_validate(told)
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} holds no review that can be read.") from error
    raise ValueError(
        f"The review in {path} has version {version}, newer than {_VERSION}; update "
        "napari-pffnet to go on with it."
    )


def _step_files(folder: Path) -> list[Path]:
    """Return the files of whole steps; what a crash left half begins with a dot."""
    return sorted(file for file in folder.glob("*.json") if file.stem.isdigit())


def _pack(labels: NDArray[np.integer[Any]], table: pd.DataFrame) -> bytes:
    """Return what `np.load` reads."""
    content = BytesIO()
    text = np.frombuffer(table.to_csv(index=False).encode(), np.uint8)
    arrays: dict[str, NDArray[Any]] = {
        "labels": labels.astype(np.int32, copy=False),
        "table": text,
    }
    # `np.savez_compressed` takes twice as long for half the size; somebody waits.
    with ZipFile(content, "w", ZIP_DEFLATED, compresslevel=1) as packed:
        for name, array in arrays.items():
            with packed.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, array, allow_pickle=False)
    return content.getvalue()


def _rename_to_free(draft: Path, path: Path) -> Path:
    """Give a folder its name, or the next one that no other has."""
    number = 1
    target = path
    while target.exists():
        number += 1
        target = path.with_name(f"{path.name}-{number}")
    os.rename(draft, target)
    return target
