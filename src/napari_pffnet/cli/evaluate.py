"""``pffnet evaluate``."""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from napari_pffnet.cli import console
from napari_pffnet.cli.outputs import check_free, write_json

if TYPE_CHECKING:
    from napari_pffnet.evaluation import Report


def evaluate(
    true_dir: Path,
    pred_dir: Path,
    /,
    *,
    out: Path | None = None,
    plots: Path | None = None,
    overwrite: bool = False,
    quiet: bool = False,
) -> int:
    """Compare segmentations with the truth.

    Every label image of TRUE_DIR needs one in PRED_DIR with the same stem; a
    prediction may also be called `<stem>_labels.tif`, as `pffnet segment` writes
    it, and its `<stem>_objects.csv` is used to judge the quality scores.

    - `pffnet evaluate truth/labels results --out report.json`

    Parameters
    ----------
    true_dir
        Folder of true label images: 0 is background, every other number an object.
    pred_dir
        Folder of predicted label images.
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
    wanted = [out, plots / "scores.png" if plots is not None else None]
    check_free((path for path in wanted if path is not None), overwrite=overwrite)
    report, failures = _compare(true_dir, pred_dir, quiet=quiet)
    if report.images:
        console.tell(_summary(report))
        if out is not None:
            write_json(out, report.to_dict())
            console.tell(f"All scores of each image: {out}")
        if plots is not None:
            from napari_pffnet.plots import plot_report

            console.tell(f"Picture of the scores: {plot_report(report, plots)}")
    return console.report_failures(failures)


def _compare(
    true_dir: Path, pred_dir: Path, *, quiet: bool
) -> tuple["Report", dict[str, str]]:
    """Evaluate pair after pair; return the report and what failed, by name."""
    from napari_pffnet.evaluation import evaluate_pair, find_pairs, summarize

    results, failures = [], {}
    pairs = find_pairs(true_dir, pred_dir)
    with console.progress(len(pairs), "Evaluating", quiet=quiet) as bar:
        for pair in pairs:
            try:
                results.append(evaluate_pair(pair.read()))
            except (ValueError, OSError) as error:
                failures[str(pair.pred)] = console.sentence(error)
            bar.update()
    return summarize(results), failures


def _summary(report: "Report") -> str:
    """Return the scores of the set as a table."""
    mean, std = report.mean, report.std
    lines = [f"{len(report.images)} images", f"{'metric':18}{'mean':>8}{'std':>8}"]
    lines += [f"{name:18}{mean[name]:8.3f}{std[name]:8.3f}" for name in mean]
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
