"""How well qualities and confidences tell good objects from bad ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from napari_pffnet.evaluation.overlap import FloatArray, IntArray

BAD_IOU = 0.5
"""An object of lower true IoU is a bad one."""


class WorstShare(NamedTuple):
    """Share of the bad objects that was found, and the largest share possible."""

    share: float
    ceiling: float


@dataclass(frozen=True, slots=True, eq=False)
class Reliability:
    """Predicted values in bins, beside what was true of the objects in each.

    Attributes
    ----------
    edges
        (B + 1,) float64, limits of the bins, equally wide from 0 to 1.
    counts
        (B,) int64, objects of each bin.
    mean_predicted, mean_true
        (B,) float64, their mean predicted value and mean true IoU; NaN in a bin
        without objects.
    """

    edges: FloatArray
    counts: IntArray
    mean_predicted: FloatArray
    mean_true: FloatArray

    @property
    def calibration_error(self) -> float:
        """Expected calibration error: what an object's value is wrong by.

        The mean distance of predicted and true mean over the bins, weighted by
        their objects; NaN without objects.
        """
        if not self.counts.any():
            return float("nan")
        held = self.counts > 0
        distance = np.abs(self.mean_predicted - self.mean_true)[held]
        return float(np.average(distance, weights=self.counts[held]))


def spearman(quality: ArrayLike, true_iou: ArrayLike) -> float:
    """Compute the rank correlation of predicted quality and true IoU.

    Parameters
    ----------
    quality, true_iou
        (N,) one value an object; objects of a quality that is NaN are left out.

    Returns
    -------
    -1..1, or NaN where it is undefined: fewer than two objects, or values that
    are all equal.
    """
    x, y = _checked(quality, true_iou)
    known = ~np.isnan(x)
    x, y = x[known], y[known]
    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return float("nan")
    return float(np.corrcoef(_ranks(x), _ranks(y))[0, 1])


def auroc_bad(confidence: ArrayLike, true_iou: ArrayLike) -> float:
    """Compute how well low confidence tells the bad objects: true IoU < `BAD_IOU`.

    Parameters
    ----------
    confidence, true_iou
        (N,) one value an object.

    Returns
    -------
    Area under the ROC curve: the chance that a bad object has a lower confidence
    than a good one, equal ones counting half.  NaN if all are good or all bad.
    """
    x, y = _checked(confidence, true_iou)
    is_bad = y < BAD_IOU
    n_bad, n_good = int(is_bad.sum()), int((~is_bad).sum())
    if n_bad == 0 or n_good == 0:
        return float("nan")
    ranks = _ranks(-x)
    wins = ranks[is_bad].sum() - n_bad * (n_bad + 1) / 2
    return float(wins / (n_bad * n_good))


def worst_share(
    confidence: ArrayLike, true_iou: ArrayLike, k: float = 10.0
) -> WorstShare:
    """Compute the share of all bad objects among the ``k`` % of lowest confidence.

    What a reviewer finds who looks at the ``k`` % (rounded up to whole objects)
    that the network trusts least.  Of objects with the same confidence at the end
    of that list the expected number counts.

    Parameters
    ----------
    confidence, true_iou
        (N,) one value an object.
    k
        Per cent of the objects, above 0, at most 100.

    Returns
    -------
    ``(share, ceiling)``, a named tuple; the ceiling is what a perfect order finds.
    Both NaN where no object is bad.

    Raises
    ------
    ValueError
        If ``k`` is out of range.
    """
    if not 0 < k <= 100:
        raise ValueError(f"k is {k}; give per cent, above 0 and at most 100.")
    x, y = _checked(confidence, true_iou)
    is_bad = y < BAD_IOU
    n_bad = int(is_bad.sum())
    if n_bad == 0:
        return WorstShare(float("nan"), float("nan"))
    # 10 % of 30 is 3.0000000000000004 by some routes; that is not four objects.
    n_seen = int(np.ceil(k * len(x) / 100 - 1e-9))
    last = np.sort(x)[n_seen - 1]
    before, tied = x < last, x == last
    chance = (n_seen - before.sum()) / tied.sum()
    found = is_bad[before].sum() + chance * is_bad[tied].sum()
    return WorstShare(float(found / n_bad), min(1.0, n_seen / n_bad))


def reliability(quality: ArrayLike, true_iou: ArrayLike, bins: int = 10) -> Reliability:
    """Compare predicted qualities with true IoUs bin by bin.

    Parameters
    ----------
    quality, true_iou
        (N,) one value an object, the first in 0..1; objects of a quality that is
        NaN are left out.
    bins
        Number of bins between 0 and 1; a value between two bins belongs to the
        upper one, 1 to the last.

    Returns
    -------
    Counts and means of the bins, and their expected calibration error.

    Raises
    ------
    ValueError
        If there is no bin or a quality lies outside of 0..1.

    Examples
    --------
    >>> found = reliability([0.2, 0.9, 0.7], [0.1, 0.8, 0.8], bins=2)
    >>> found.counts.tolist(), found.mean_true.tolist()
    ([1, 2], [0.1, 0.8])
    >>> round(found.calibration_error, 3)
    0.033
    """
    if bins < 1:
        raise ValueError(f"bins is {bins}; give at least 1.")
    x, y = _checked(quality, true_iou)
    known = ~np.isnan(x)
    x, y = x[known], y[known]
    outside = x[(x < 0) | (x > 1)]
    if len(outside):
        raise ValueError(
            f"{len(outside)} qualities lie outside of 0..1, the first is "
            f"{outside[0]:g}; give qualities or scores as the network returns them."
        )
    edges = np.linspace(0, 1, bins + 1)
    place = np.searchsorted(edges[1:-1], x, side="right")
    counts = np.bincount(place, minlength=bins)
    held = np.where(counts > 0, counts, np.nan)
    return Reliability(
        edges=edges,
        counts=counts,
        mean_predicted=np.bincount(place, x, bins) / held,
        mean_true=np.bincount(place, y, bins) / held,
    )


def exact_quality(true_iou: ArrayLike) -> FloatArray:
    """Return the quality that an outline of that IoU deserves.

    Networks are trained to predict the mean of Dice and IoU, which is above the
    IoU but for 0 and 1.

    Parameters
    ----------
    true_iou
        Any shape, in 0..1.

    Returns
    -------
    float64 of that shape.
    """
    iou = np.asarray(true_iou, np.float64)
    return (2 * iou / (1 + iou) + iou) / 2


def _checked(values: ArrayLike, true_iou: ArrayLike) -> tuple[FloatArray, FloatArray]:
    x, y = np.asarray(values, np.float64), np.asarray(true_iou, np.float64)
    if x.ndim != 1 or x.shape != y.shape:
        raise ValueError(
            f"The values have shape {x.shape} and the true IoUs {y.shape}; "
            "give two lists with one value an object."
        )
    return x, y


def _ranks(values: FloatArray) -> FloatArray:
    """Rank from 1; equal values share the mean of their ranks."""
    return np.asarray(pd.Series(values).rank(), np.float64)
