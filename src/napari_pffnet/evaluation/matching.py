"""One-to-one matching of true and predicted objects on their sparse overlaps."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import (
    maximum_bipartite_matching,
    min_weight_full_bipartite_matching,
)

if TYPE_CHECKING:
    from napari_pffnet.evaluation.overlap import BoolArray, IntArray, Overlap


def greedy_pairs(overlap: Overlap) -> IntArray:
    """Let each truth, in id order, take the free prediction of its best IoU (eq. 8).

    Returns
    -------
    Positions of the chosen pairs; of equal IoUs the lower predicted id wins.
    """
    ious = overlap.ious
    starts = np.searchsorted(overlap.true_index, np.arange(overlap.n_true + 1))
    free = np.ones(overlap.n_pred, np.bool_)
    chosen: list[int] = []
    for start, stop in pairwise(starts.tolist()):
        usable = np.where(free[overlap.pred_index[start:stop]], ious[start:stop], 0)
        if usable.any():
            best = start + int(usable.argmax())
            chosen.append(best)
            free[overlap.pred_index[best]] = False
    return np.array(chosen, np.int64)


def optimal_pairs(overlap: Overlap) -> IntArray:
    """Find the one-to-one pairs of the largest sum of IoUs (Hungarian).

    Returns
    -------
    Positions of the chosen pairs, rising.
    """
    n, m = overlap.n_true, overlap.n_pred
    if len(overlap.true_index) == 0:
        return np.empty(0, np.int64)
    # Each truth also has a partner of its own that stands for "unmatched", so a
    # full matching exists; the costs are shifted because a stored 0 is no edge.
    rows = np.concatenate([overlap.true_index, np.arange(n)])
    columns = np.concatenate([overlap.pred_index, m + np.arange(n)])
    costs = np.concatenate([2 - overlap.ious, np.full(n, 2.0)])
    graph = sparse.csr_array((costs, (rows, columns)), shape=(n, m + n))
    row, column = min_weight_full_bipartite_matching(graph)
    matched = column < m
    keys = overlap.true_index * m + overlap.pred_index
    return np.searchsorted(keys, np.sort(row[matched] * m + column[matched]))


def count_matches(overlap: Overlap, is_allowed: BoolArray) -> int:
    """Count the largest one-to-one matching among the allowed pairs, (K,) bool."""
    if not is_allowed.any():
        return 0
    pairs = (overlap.true_index[is_allowed], overlap.pred_index[is_allowed])
    graph = sparse.csr_array(
        (np.ones(len(pairs[0]), np.int8), pairs),
        shape=(overlap.n_true, overlap.n_pred),
    )
    return int(np.count_nonzero(maximum_bipartite_matching(graph) >= 0))
