"""The CSV files and the picture beside a checkpoint."""

from __future__ import annotations

import csv
import logging
import time
from typing import TYPE_CHECKING, Any, Protocol

from napari_pffnet.plots import plot_training

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from napari_pffnet.training.steps import TrainStep, ValidationStep

logger = logging.getLogger("napari_pffnet")

DRAW_SECONDS = 60.0
"""While a run goes on, the picture of its curves is drawn at most so often."""


class RunLog(Protocol):
    """What is told of every step of a run."""

    def add_step(self, step: TrainStep) -> None:
        """Write the losses of a step."""

    def add_validation(self, step: ValidationStep) -> None:
        """Write the scores of each set."""

    def close(self) -> None:
        """Write what is left; the run is over, or stopped."""


def log_path(out: Path) -> Path:
    """Return where the losses of a run are written."""
    return out.with_name(f"{out.stem}.log.csv")


def validation_log_path(out: Path) -> Path:
    """Return where the validation scores of a run are written."""
    return out.with_name(f"{out.stem}.val.csv")


def curves_path(out: Path) -> Path:
    """Return where the picture of both is drawn."""
    return out.with_name(f"{out.stem}.curves.png")


class CsvLog:
    """Writes one row a step, one row a validated set, and draws both as curves.

    Parameters
    ----------
    out
        The checkpoint beside which the files lie.
    last_step
        Rows of later steps are removed: a killed run got further than its state.
    """

    def __init__(self, out: Path, last_step: int) -> None:
        self._out = out
        self._drawn = time.monotonic()
        out.parent.mkdir(parents=True, exist_ok=True)
        self._losses = _Table(log_path(out), last_step)
        self._scores = _Table(validation_log_path(out), last_step)

    def add_step(self, step: TrainStep) -> None:
        """Write the losses of a step."""
        self._losses.add(
            {
                "step": step.step,
                "learning_rate": f"{step.learning_rate:.4g}",
                "total": f"{step.total:.6g}",
                **{name: f"{value:.6g}" for name, value in step.losses.items()},
                "seconds": f"{step.seconds:.1f}",
            }
        )

    def add_validation(self, step: ValidationStep) -> None:
        """Write the scores of each set."""
        for name, scores in step.scores.items():
            self._scores.add(
                {
                    "step": step.step,
                    "set": name,
                    "images": scores.images,
                    "aji": f"{scores.aji:.5f}",
                    "pq": f"{scores.pq:.5f}",
                    "score_threshold": step.score_threshold,
                    "seconds": f"{step.seconds:.1f}",
                }
            )
        if time.monotonic() - self._drawn > DRAW_SECONDS:
            self._draw()

    def close(self) -> None:
        """Draw the curves."""
        # A run may break at its very first step.
        if log_path(self._out).exists():
            self._draw()

    def _draw(self) -> None:
        """Draw the curves, where matplotlib is installed."""
        self._drawn = time.monotonic()
        try:
            plot_training(
                log_path(self._out),
                validation_log_path(self._out),
                curves_path(self._out),
            )
        except ImportError as error:
            logger.info("No picture of the curves is drawn. %s", error)


class _Table:
    """A CSV file whose columns are those of its first row."""

    def __init__(self, path: Path, last_step: int) -> None:
        self._path = path
        self._columns: list[str] = []
        rows = _read_rows(path, last_step) if last_step else []
        path.unlink(missing_ok=True)
        for row in rows:
            self.add(row)

    def add(self, row: Mapping[str, Any]) -> None:
        # Opened for each row, so that a killed run leaves whole lines.
        first = not self._columns
        self._columns = self._columns or list(row)
        with self._path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, self._columns, extrasaction="ignore")
            if first:
                writer.writeheader()
            writer.writerow(row)


def _read_rows(path: Path, last_step: int) -> list[dict[str, str]]:
    """Return the whole rows up to a step."""
    if not path.exists():
        return []
    # A power cut leaves anything; the state, which was put on the disk, is worth more.
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        rows = [r for r in csv.DictReader(file) if None not in r.values()]
    return [
        row
        for row in rows
        if row.get("step", "").isdecimal() and int(row["step"]) <= last_step
    ]
