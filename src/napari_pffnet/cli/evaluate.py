"""``pffnet evaluate``."""

import math
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from napari_pffnet.cli import console
from napari_pffnet.files import check_free, write_json

if TYPE_CHECKING:
    from napari_pffnet.evaluation import Comparison, ErrorCounts, Report

SCORES, COMPARISON = "scores.png", "comparison.png"
"""Names of the pictures of one result and of several."""


def evaluate(
    true_dir: Path,
    pred_dir: Path,
    /,
    *others: Path,
    out: Path | None = None,
    plots: Path | None = None,
    overwrite: bool = False,
    quiet: bool = False,
) -> int:
    """Compare segmentations with the truth, and with each other.

    Every label image of TRUE_DIR needs one in PRED_DIR with the same stem; a
    prediction may also be called `<stem>_labels.tif`, as `pffnet segment` writes
    it, and its `<stem>_objects.csv` is used to judge the quality scores.  Of
    several folders of predictions, paired t-tests over the images say which
    differences are more than chance.

    - `pffnet evaluate truth/labels results --out report.json`
    - `pffnet evaluate truth/labels old new --plots pictures`

    Parameters
    ----------
    true_dir
        Folder of true label images: 0 is background, every other number an object.
    pred_dir
        Folder of predicted label images.
    others
        More such folders, to compare with the first.
    out
        Write all scores of all images to this JSON file.
    plots
        Draw the scores into this folder.
    overwrite
        Replace results that exist.
    quiet
        No progress bar.
    """
    if plots is not None and find_spec("matplotlib") is None:
        raise ImportError(
            "--plots needs matplotlib: pip install 'napari-pffnet[plots]'."
        )
    picture = COMPARISON if others else SCORES
    wanted = [out, plots / picture if plots is not None else None]
    check_free((path for path in wanted if path is not None), overwrite=overwrite)
    failures: dict[str, str] = {}
    reports = {
        name: _report(true_dir, folder, failures, quiet=quiet)
        for name, folder in _names([pred_dir, *others]).items()
    }
    reports = {name: report for name, report in reports.items() if report.images}
    if reports and others:
        from napari_pffnet.evaluation import compare

        comparison = compare(reports)
        console.tell(_table(comparison))
        _write(comparison, out, plots)
    elif reports:
        (report,) = reports.values()
        console.tell(_summary(report))
        _write(report, out, plots)
    return console.report_failures(failures)


def _write(found: "Report | Comparison", out: Path | None, plots: Path | None) -> None:
    """Write what is asked for."""
    if out is not None:
        write_json(out, found.to_dict())
        console.tell(f"All scores of each image: {out}")
    if plots is not None:
        from napari_pffnet.evaluation import Report
        from napari_pffnet.plots import plot_comparison, plot_report

        if isinstance(found, Report):
            path = plot_report(found, plots)
        else:
            path = plot_comparison(found.reports, plots)
        console.tell(f"Picture of the scores: {path}")


def _names(folders: list[Path]) -> dict[str, Path]:
    """Return the folders by names that tell them apart."""
    if len(set(folders)) < len(folders):
        raise ValueError("One folder of predictions is named twice; name it once.")
    short = {folder.name: folder for folder in folders}
    if len(short) == len(folders):
        return short
    return {str(folder): folder for folder in folders}


def _report(
    true_dir: Path, pred_dir: Path, failures: dict[str, str], *, quiet: bool
) -> "Report":
    """Evaluate pair after pair; add what fails, by name, to ``failures``."""
    from napari_pffnet.evaluation import evaluate_pair, find_pairs, summarize

    results = []
    pairs = find_pairs(true_dir, pred_dir)
    with console.progress(len(pairs), "Evaluating", quiet=quiet) as bar:
        for pair in pairs:
            try:
                results.append(evaluate_pair(pair.read()))
            except (ValueError, OSError) as error:
                failures[str(pair.pred)] = console.sentence(error)
            bar.update()
    return summarize(results)


def _table(comparison: "Comparison") -> str:
    """Return the means of each metric, and how far the others differ from the first."""
    first, *others = comparison.reports
    means = [report.mean for report in comparison.reports.values()]
    chances = {(t.first, t.second, t.metric): t.p for t in comparison.tests}
    head = [f"mean {number}" for number in range(1, len(means) + 1)]
    head += [f"p 1-{number}" for number in range(2, len(means) + 1)]
    lines = [
        f"{number}: {name}, {len(report.images)} images"
        for number, (name, report) in enumerate(comparison.reports.items(), 1)
    ]
    lines.append(f"{'metric':18}" + "".join(f"{text:>9}" for text in head))
    for metric in means[0]:
        cells = [f"{mean.get(metric, math.nan):9.3f}" for mean in means]
        ps = (chances.get((first, other, metric), math.nan) for other in others)
        lines.append(f"{metric:18}" + "".join([*cells, *(f"{p:9.2g}" for p in ps)]))
    lines.append("p: two-sided paired t-test over the images that both have")
    return "\n".join(lines)


def _summary(report: "Report") -> str:
    """Return the scores of the set as a table."""
    mean, std = report.mean, report.std
    lines = [f"{len(report.images)} images", f"{'metric':18}{'mean':>8}{'std':>8}"]
    lines += [f"{name:18}{mean[name]:8.3f}{std[name]:8.3f}" for name in mean]
    if report.errors is not None:
        lines.append(_errors(report.errors))
    known = report.quality
    if known is not None:
        lines += [
            f"{known.n_objects} predicted objects, {known.n_bad} of them bad "
            "(IoU < 0.5):",
            f"  Spearman of quality and IoU   {known.spearman:8.3f}",
            f"  AUROC of bad by confidence    {known.auroc_bad:8.3f}",
            f"  bad ones in the worst {known.worst_percent:2.0f} %     "
            f"{known.worst_share:8.3f}, at best {known.worst_share_ceiling:.3f}",
        ]
    return "\n".join(lines)


def _errors(counts: "ErrorCounts") -> str:
    """Return in words what became of the objects."""
    return (
        f"of {counts.n_true} true objects {counts.good} good, {counts.poor} with a "
        f"poor outline, {counts.merged} merged, {counts.split} split, "
        f"{counts.missed} missed; {counts.false} false objects"
    )
