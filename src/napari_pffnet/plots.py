"""Pictures of curves and scores: the only user of matplotlib.

It is imported when a picture is drawn.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd

from napari_pffnet.files import whole_file

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike, NDArray


class Report(Protocol):
    """What is drawn of a report: the scores of each image."""

    def to_dict(self) -> Mapping[str, Any]:
        """Return ``images``, one mapping of scores an image, among others."""


class Reliability(Protocol):
    """What is drawn of predicted values: their bins, and what was true in each."""

    @property
    def edges(self) -> NDArray[np.float64]:
        """(B + 1,) limits of the bins."""

    @property
    def counts(self) -> NDArray[np.integer[Any]]:
        """(B,) objects of each bin."""

    @property
    def mean_predicted(self) -> NDArray[np.float64]:
        """(B,) mean predicted value, NaN without objects."""

    @property
    def mean_true(self) -> NDArray[np.float64]:
        """(B,) mean true IoU, NaN without objects."""

    @property
    def calibration_error(self) -> float:
        """Mean distance of the two over all objects."""


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
    table = _scores_only(pd.DataFrame(report.to_dict()["images"]))
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


def plot_comparison(
    reports: Mapping[str, Report], folder: str | os.PathLike[str]
) -> Path:
    """Draw the scores of several segmentations as box plots into ``comparison.png``.

    A box reaches from the first to the third quartile of the images with the median
    in it, its whiskers to the farthest image within 1.5 times its length.

    Parameters
    ----------
    reports
        Their reports by name.
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
    tables = {
        name: _scores_only(pd.DataFrame(report.to_dict()["images"]))
        for name, report in reports.items()
    }
    metrics = list(dict.fromkeys(str(name) for t in tables.values() for name in t))
    figure = _figure(max(0.5 * len(metrics) * len(tables), 4), 4)
    axes = figure.subplots()
    width = 0.8 / len(tables)
    for number, (name, table) in enumerate(tables.items()):
        columns = table.reindex(columns=metrics)
        values = [columns[metric].dropna().to_numpy() for metric in metrics]
        positions = np.arange(len(metrics)) - 0.4 + (number + 0.5) * width
        color = f"C{number % 10}"
        _draw_boxes(axes, values, positions, width=0.8 * width, color=color)
        axes.plot([], [], "s", color=color, label=name)
    axes.set(ylabel="score of each image", ylim=(-0.02, 1.02))
    axes.set_xticks(range(len(metrics)), metrics, rotation=45, ha="right")
    axes.legend(fontsize="x-small")
    path = Path(folder) / "comparison.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    _save(figure, path)
    return path


def plot_reliability(
    predicted: Mapping[str, Reliability], path: str | os.PathLike[str]
) -> None:
    """Draw predicted values against true IoUs, one diagram a value, into one PNG.

    Above, the mean true IoU of each bin, on the diagonal where it is as predicted;
    below, the number of objects of each bin on a logarithmic scale.

    Parameters
    ----------
    predicted
        Of :func:`napari_pffnet.evaluation.reliability`, by the name of the value.
    path
        PNG to write, in one piece.

    Raises
    ------
    ImportError
        If matplotlib is not installed; the sentence says how to install it.
    """
    figure = _figure(4 * len(predicted), 5)
    grid = figure.subplots(
        2,
        len(predicted),
        sharex=True,
        sharey="row",
        squeeze=False,
        height_ratios=(3, 1),
    )
    for column, (name, found) in enumerate(predicted.items()):
        _draw_reliability(grid[0, column], found)
        error = f"calibration error {found.calibration_error:.3f}"
        grid[0, column].set_title(f"{name}\n{error}", fontsize="medium")
        _draw_counts(grid[1, column], found)
        grid[1, column].set_xlabel(f"predicted {name}")
    grid[0, 0].set_ylabel("mean true IoU")
    grid[1, 0].set_ylabel("objects")
    _save(figure, Path(path))


def _draw_reliability(axes: Axes, found: Reliability) -> None:
    """Draw the true mean of each bin as a bar and as a point over the predicted one."""
    axes.bar(
        found.edges[:-1],
        np.nan_to_num(found.mean_true),
        np.diff(found.edges),
        align="edge",
        color="C0",
        edgecolor="white",
        alpha=0.5,
    )
    axes.plot(found.mean_predicted, found.mean_true, "o", color="C0")
    axes.plot([0, 1], [0, 1], "--", color="black", linewidth=1)
    axes.set(xlim=(0, 1), ylim=(0, 1))


def _draw_counts(axes: Axes, found: Reliability) -> None:
    """Draw and write the number of objects of each bin."""
    middles = (found.edges[:-1] + found.edges[1:]) / 2
    axes.bar(middles, found.counts, np.diff(found.edges), color="0.7", edgecolor="1")
    for middle, count in zip(middles, found.counts, strict=True):
        if count:
            axes.text(middle, count, f"{count}", ha="center", fontsize="x-small")
    # Room for the number above the bar; from 0.5 on, single objects are seen.
    highest = max(axes.get_ylim()[1], 8 * found.counts.max())
    axes.set_ylim(0.5, highest)
    axes.set_yscale("log")


def _draw_boxes(
    axes: Axes,
    values: Sequence[ArrayLike],
    positions: ArrayLike,
    *,
    width: float,
    color: str,
) -> None:
    """Draw one box for each series of values."""
    axes.boxplot(
        values,
        positions=positions,
        widths=width,
        patch_artist=True,
        boxprops={"facecolor": color},
        medianprops={"color": "black"},
        flierprops={"marker": ".", "markeredgecolor": color},
    )


def _scores_only(table: pd.DataFrame) -> pd.DataFrame:
    """Leave out differences of counts and distances, which have other scales."""
    others = ["count_difference", "object_hausdorff"]
    return table.select_dtypes("float").drop(columns=others, errors="ignore")


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
    with whole_file(path) as part:
        figure.savefig(part, format="png", dpi=120)
