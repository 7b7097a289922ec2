"""How far the network's own estimates can be trusted, where the truth is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from napari_pffnet.evaluation import WorstShare

BAD_OVERLAP = 0.5
"""An object of lower true IoU is a bad one, as `evaluation` has it."""

WORST = (5.0, 10.0, 20.0, 30.0)
"""Per cent of the objects, those of lowest confidence, that are looked at."""


@dataclass(frozen=True, slots=True, eq=False)
class Trust:
    """Estimates of a network beside the truth.

    Attributes
    ----------
    labels
        (N,) the objects.
    estimates, true_ious
        (N,) predicted quality, or confidence where there is none, and largest IoU
        with any true object.
    column
        Where the estimates are from: ``quality`` or ``confidence``.
    spearman, auroc_bad
        As in `evaluation`; NaN where undefined.
    worst
        Share of the bad objects among each of the `WORST` per cent.
    """

    labels: NDArray[np.int64]
    estimates: NDArray[np.float64]
    true_ious: NDArray[np.float64]
    column: str
    spearman: float
    auroc_bad: float
    worst: tuple[WorstShare, ...]

    @property
    def bad(self) -> int:
        """Number of objects whose true IoU is below 0.5."""
        return int((self.true_ious < BAD_OVERLAP).sum())


def compare_with_truth(
    labels: NDArray[np.integer[Any]],
    table: pd.DataFrame,
    true_labels: NDArray[np.integer[Any]],
) -> Trust:
    """Compare what the network says of its objects with true labels.

    Parameters
    ----------
    labels
        (..., Y, X) the objects.
    table
        Row i is label i + 1.
    true_labels
        The truth, of the same shape.

    Raises
    ------
    ValueError
        If the shapes differ, or the table has no estimates for these objects.
    """
    # A widget that opens should not wait for what it may never show.
    from napari_pffnet.evaluation import (
        auroc_bad,
        measure_overlap,
        spearman,
        worst_share,
    )
    from napari_pffnet.evaluation.scores import true_iou

    overlap = measure_overlap(true_labels, labels)
    ious, ids = true_iou(overlap), overlap.pred_ids.astype(np.int64)
    rows = table.iloc[ids - 1]
    has_quality = rows["quality"].notna().any()
    column = "quality" if has_quality else "confidence"
    known = rows[column].notna().to_numpy()
    if not known.any():
        raise ValueError(
            "The objects have no quality or confidence to compare; choose a layer "
            "that a model has made."
        )
    estimates = rows.loc[known, column].to_numpy(np.float64)
    confidence = rows.loc[known, "confidence"].to_numpy(np.float64)
    ious = ious[known]
    return Trust(
        labels=ids[known],
        estimates=estimates,
        true_ious=ious,
        column=column,
        spearman=spearman(estimates, ious),
        auroc_bad=auroc_bad(confidence, ious),
        worst=tuple(worst_share(confidence, ious, k) for k in WORST),
    )
