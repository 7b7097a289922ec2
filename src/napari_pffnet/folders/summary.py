"""The tables of a folder of results: ``summary.csv`` for people, ``run.json``."""

from __future__ import annotations

import csv
import json
from contextlib import suppress
from dataclasses import dataclass, field
from io import StringIO
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_pffnet.folders.outputs import explained, write_text

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from napari_pffnet.folders.record import ImageRecord

RUN_RECORD = "run.json"
SUMMARY = "summary.csv"
COLUMNS = (
    "image", "objects", "median_quality", "median_area", "median_diameter",
    "to_review", "seconds", "notes", "error",
)  # fmt: skip
_DOUBTFUL = 0.5
"""Objects of a lower confidence are worth a look."""
_LEAST_PAUSE_S = 2.0
_LARGEST_SHARE = 0.02
"""Of the time that writing the table may take."""


def measure(objects: pd.DataFrame) -> dict[str, Any]:
    """Return what is told of the objects of an image: fields of its record."""
    diameters = np.sqrt(4 * objects["area"] / np.pi)
    numbers = {
        "median_quality": objects["quality"].median(),
        "median_area": objects["area"].median(),
        "median_diameter": diameters.median(),
        "to_review": (objects["confidence"] < _DOUBTFUL).mean(),
    }
    known = {k: float(f"{v:.4g}") for k, v in numbers.items() if np.isfinite(v)}
    return {"objects": len(objects), **known}


def check_ours(folder: Path) -> None:
    """Refuse to replace tables of other programs.

    Raises
    ------
    ValueError
        If a file with one of the names holds something else.
    """
    for path, is_ours in (
        (folder / RUN_RECORD, _is_list),
        (folder / SUMMARY, _is_table),
    ):
        if path.exists() and not is_ours(path):
            raise ValueError(
                f"{path} was not written by this program; rename it, give --overwrite "
                "to replace it, or another --out."
            )


def _is_list(path: Path) -> bool:
    try:
        return isinstance(json.loads(path.read_bytes())["images"], list)
    except (ValueError, KeyError, TypeError):
        return False


def _is_table(path: Path) -> bool:
    return path.read_bytes().startswith(",".join(COLUMNS).encode())


@dataclass(slots=True)
class Ledger:
    """What became of the images of a folder so far.

    Attributes
    ----------
    folder
        Where the tables are written.
    records
        Of the images whose results are there, by stem.
    failures
        Path of an image that failed and the reason, by stem.
    """

    folder: Path
    records: dict[str, ImageRecord]
    failures: dict[str, tuple[str, str]] = field(default_factory=dict)
    _next_write: float = field(default_factory=lambda: monotonic() + _LEAST_PAUSE_S)

    def save_now_and_then(self) -> None:
        """Write the table for people, unless that was done a moment ago."""
        started = monotonic()
        if started < self._next_write:
            return
        # On Windows a table that is open in another program cannot be replaced.
        with explained(self.folder), suppress(PermissionError):
            self._write_summary()
        pause = (monotonic() - started) / _LARGEST_SHARE
        self._next_write = monotonic() + max(_LEAST_PAUSE_S, pause)

    def save(self) -> None:
        """Write both tables."""
        with explained(self.folder):
            self._write_summary()
            records = [self.records[stem] for stem in sorted(self.records)]
            images = [record.model_dump(mode="json") for record in records]
            text = json.dumps({"images": images}, indent=2) + "\n"
            write_text(self.folder / RUN_RECORD, text)

    def _write_summary(self) -> None:
        text = StringIO()
        table = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
        table.writeheader()
        for stem in sorted(self.records.keys() | self.failures.keys()):
            table.writerow(self._row(stem))
        write_text(self.folder / SUMMARY, text.getvalue())

    def _row(self, stem: str) -> dict[str, Any]:
        if stem in self.failures:
            image, error = self.failures[stem]
            return {"image": image, "error": error}
        told = self.records[stem].model_dump(include=set(COLUMNS))
        return told | {"notes": " ".join(told["notes"])}
