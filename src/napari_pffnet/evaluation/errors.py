"""What went wrong in a label image: merged, split, missed, false, badly outlined."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from napari_pffnet.evaluation.overlap import measure_overlap
from napari_pffnet.evaluation.scores import best, true_iou

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import ArrayLike, NDArray

    from napari_pffnet.evaluation.overlap import BoolArray, IntArray, Overlap

GOOD_IOU = 0.75
"""An object of at least this IoU is found well."""

POOR_IOU = 0.25
"""An object of at least this IoU has an outline, a poor one.

Together with `GOOD_IOU` this makes 1: whatever fits one object well cannot reach it
with another one that it does not wholly cover.
"""

TRUE_KINDS = ("good", "merged", "split", "poor", "missed")
"""What may become of a true object, in the order in which the rules are asked."""

FOUND_KINDS = ("good", "merge", "piece", "poor", "false")
"""What a predicted object may be, in the order in which the rules are asked."""


@dataclass(frozen=True, slots=True)
class ErrorCounts:
    """Numbers of objects by what became of them; `error_kinds` has the rules.

    Attributes
    ----------
    good, merged, split, poor, missed
        True objects; together all of them.
    false
        Predicted objects where there is nothing.
    """

    good: int = 0
    merged: int = 0
    split: int = 0
    poor: int = 0
    missed: int = 0
    false: int = 0

    @property
    def n_true(self) -> int:
        """Number of true objects."""
        return self.good + self.merged + self.split + self.poor + self.missed

    @classmethod
    def total(cls, counts: Iterable[ErrorCounts]) -> ErrorCounts:
        """Add the counts of several images."""
        counts = tuple(counts)
        names = [field.name for field in fields(cls)]
        return cls(*(sum(getattr(c, name) for c in counts) for name in names))


@dataclass(frozen=True, slots=True, eq=False)
class ErrorKinds:
    """What became of each object of an image.

    Attributes
    ----------
    true_ids, found_ids
        (N,) and (M,) labels of the true and the predicted objects, rising.
    true_kinds
        (N,) str, each of `TRUE_KINDS`.
    found_kinds
        (M,) str, each of `FOUND_KINDS`.
    """

    true_ids: IntArray
    found_ids: IntArray
    true_kinds: NDArray[np.str_]
    found_kinds: NDArray[np.str_]

    @property
    def counts(self) -> ErrorCounts:
        """Numbers of true objects of each kind, and of false predictions."""
        of_true = {k: int(np.count_nonzero(self.true_kinds == k)) for k in TRUE_KINDS}
        false = int(np.count_nonzero(self.found_kinds == "false"))
        return ErrorCounts(**of_true, false=false)


def error_kinds(true_labels: ArrayLike, pred_labels: ArrayLike) -> ErrorKinds:
    """Tell what became of each true object and what each predicted one is.

    A prediction *covers* a true object if it holds more than half of its pixels, and
    *lies in* it if more than half of the prediction's pixels are the object's.  The
    first rule that fits a true object counts:

    1. ``good``: its IoU with some prediction is at least `GOOD_IOU`;
    2. ``merged``: the prediction that covers it covers another true object too;
    3. ``split``: two or more predictions lie in it;
    4. ``poor``: its IoU with some prediction is at least `POOR_IOU`;
    5. ``missed``: none of these.

    And of the predictions:

    1. ``good``: its IoU with some true object is at least `GOOD_IOU`;
    2. ``merge``: it covers two or more true objects;
    3. ``piece``: it lies in a true object that another prediction lies in too;
    4. ``poor``: its IoU with some true object is at least `POOR_IOU`;
    5. ``false``: none of these.

    So a speck that is swallowed by the good outline of its neighbour is merged, and
    its neighbour is good.

    Parameters
    ----------
    true_labels, pred_labels
        (Y, X) integers, 0 = background.

    Returns
    -------
    The kind of each object, and with ``counts`` their numbers.

    Raises
    ------
    ValueError
        If the shapes differ, or labels are no integers or negative.

    Examples
    --------
    >>> import numpy as np
    >>> truth = np.array([[1, 1, 2, 2, 0, 3, 3, 0, 0]])
    >>> found = np.array([[7, 7, 7, 7, 0, 8, 8, 0, 9]])
    >>> kinds = error_kinds(truth, found)
    >>> kinds.true_kinds.tolist(), kinds.found_kinds.tolist()
    (['merged', 'merged', 'good'], ['merge', 'good', 'false'])
    """
    return kinds_of(measure_overlap(true_labels, pred_labels))


def kinds_of(overlap: Overlap) -> ErrorKinds:
    """Do the same as `error_kinds` with a table of overlaps."""
    true, pred = overlap.true_index, overlap.pred_index
    # Integers, so that exactly one half is never more than one half.
    covers = 2 * overlap.intersections > overlap.true_areas[true]
    lies_in = 2 * overlap.intersections > overlap.pred_areas[pred]
    is_merge = _counted(pred[covers], overlap.n_pred) > 1
    is_split = _counted(true[lies_in], overlap.n_true) > 1
    is_merged = _marked(true[covers & is_merge[pred]], overlap.n_true)
    is_piece = _marked(pred[lies_in & is_split[true]], overlap.n_pred)
    of_true = best(overlap.ious, true, overlap.n_true)
    of_found = true_iou(overlap)
    true_rules = (of_true >= GOOD_IOU, is_merged, is_split, of_true >= POOR_IOU)
    found_rules = (of_found >= GOOD_IOU, is_merge, is_piece, of_found >= POOR_IOU)
    return ErrorKinds(
        true_ids=overlap.true_ids,
        found_ids=overlap.pred_ids,
        true_kinds=_first_that_fits(true_rules, TRUE_KINDS),
        found_kinds=_first_that_fits(found_rules, FOUND_KINDS),
    )


def _counted(index: IntArray, n: int) -> IntArray:
    """Return how often each of ``n`` objects occurs in ``index``."""
    return np.bincount(index, minlength=n)


def _marked(index: IntArray, n: int) -> BoolArray:
    """Return which of ``n`` objects occur in ``index``."""
    return _counted(index, n) > 0


def _first_that_fits(
    rules: tuple[BoolArray, ...], kinds: tuple[str, ...]
) -> NDArray[np.str_]:
    """Name each object by the first rule that it meets, else by the last kind."""
    *names, last = (np.array(kind) for kind in kinds)
    return np.select(rules, names, default=last)
