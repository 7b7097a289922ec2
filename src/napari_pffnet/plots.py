"""Pictures of curves and scores: the only user of matplotlib.

It is imported when a picture is drawn.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class Report(Protocol):
    """What is drawn of a report: the scores of each image."""

    def to_dict(self) -> Mapping[str, Any]:
        """Return ``images``, one mapping of scores an image, among others."""


def plot_training(
    losses_csv: str | os.PathLike[str],
    scores_csv: str | os.PathLike[str],
    path: str | os.PathLike[str],
) -> None:
    """Draw the losses and the validation scores of a run into one PNG.

    Parameters
    ----------
    losses_csv
        One row a step: ``step``, ``learning_rate``, ``total``, the named losses,
        ``seconds``.
    scores_csv
        One row a validated set: ``step``, ``set``, ``aji``, ``pq``; need not exist.
    path
        PNG to write, in one piece.

    Raises
    ------
    ImportError
        If matplotlib is not installed; the sentence says how to install it.
    """
    figure = _figure(10, 4)
    left, right = figure.subplots(1, 2)
    _draw_losses(left, pd.read_csv(losses_csv))
    if Path(scores_csv).exists():
        _draw_scores(right, pd.read_csv(scores_csv, dtype={"set": str}))
    else:
        right.set_axis_off()
    _save(figure, Path(path))


def plot_report(report: Report, folder: str | os.PathLike[str]) -> Path:
    """Draw the scores of all images of an evaluation into ``scores.png``.

    Parameters
    ----------
    report
        Of :func:`napari_pffnet.evaluation.summarize`.
    folder
        Made if it does not exist.

    Returns
    -------
    Path
        The PNG.

    Raises
    ------
    ImportError
        If matplotlib is not installed; the sentence says how to install it.
    """
    table = pd.DataFrame(report.to_dict()["images"]).select_dtypes("float")
    table = _scores_only(table)
    figure = _figure(max(0.8 * table.shape[1], 3), 4)
    axes = figure.subplots()
    rng = np.random.default_rng(0)
    for position, name in enumerate(table):
        shift = rng.uniform(-0.2, 0.2, len(table))
        axes.plot(position + shift, table[name], ".", alpha=0.5)
        axes.hlines(table[name].mean(), position - 0.3, position + 0.3, color="black")
    axes.set(ylabel="score of each image, bar: mean", ylim=(-0.02, 1.02))
    axes.set_xticks(
        range(table.shape[1]), list(table.columns.astype(str)), rotation=45, ha="right"
    )
    path = Path(folder) / "scores.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    _save(figure, path)
    return path


def _scores_only(table: pd.DataFrame) -> pd.DataFrame:
    """Leave out differences of counts and distances, which have other scales."""
    others = ["count_difference", "object_hausdorff"]
    return table.drop(columns=others, errors="ignore")


def _draw_losses(axes: Axes, table: pd.DataFrame) -> None:
    """Draw each loss, averaged over about a hundredth of the run."""
    names = [n for n in table if n not in ("step", "learning_rate", "seconds")]
    window = max(len(table) // 100, 1)
    smooth = table[names].rolling(window, min_periods=1).mean()
    for name in names:
        width = 2.0 if name == "total" else 1.0
        axes.plot(table["step"], smooth[name], label=name, linewidth=width)
    axes.set(xlabel="step", ylabel="loss", yscale="log")
    axes.legend(fontsize="x-small")


def _draw_scores(axes: Axes, table: pd.DataFrame) -> None:
    """Draw AJI and PQ of each set."""
    for name, rows in table.groupby("set"):
        axes.plot(rows["step"], rows["aji"], "o-", label=f"{name} AJI")
        axes.plot(rows["step"], rows["pq"], "s--", label=f"{name} PQ")
    axes.set(xlabel="step", ylabel="score", ylim=(0, 1))
    axes.legend(fontsize="x-small")


def _figure(width: float, height: float) -> Figure:
    """Return an empty figure that needs no display."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            "Pictures need matplotlib: pip install 'napari-pffnet[plots]'."
        ) from error
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _save(figure: Figure, path: Path) -> None:
    """Write a PNG so that a crash leaves the old one or the new one."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    figure.savefig(unfinished, format="png", dpi=120)
    unfinished.replace(path)
