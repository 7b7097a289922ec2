"""What was painted by hand, as a step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_pffnet.review.edits import edit
from napari_pffnet.review.patches import Patch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_pffnet.review.steps import State, Step, Verdict


def painted(state: State, plane: tuple[int, ...] | None = None) -> Step | None:
    """Return the step that was made by painting into the shown labels.

    Objects that got pixels, or from which pixels were erased, are ``fixed``; one
    that lost its last pixel is ``rejected``.  A number that stands for no object
    becomes the next free one, in the shown labels too: numbers of objects that are
    gone are not used again.

    Parameters
    ----------
    state
        Its shown labels are what was painted, its known ones what was before.
    plane
        Where to look; None: in all planes.
    """
    where = () if plane is None else plane
    start = [*where] + [0] * (state.known.ndim - len(where))
    box = tuple(slice(i, i + 1) for i in where)
    patch = Patch.between(state.known[box], state.labels[box], start)
    if patch is None:
        return None
    after, renamed = _with_free_labels(state, patch)
    if renamed:
        state.labels[patch.slices] = after
    is_changed = patch.before != after
    gained = np.unique(after[is_changed])
    verdicts: dict[int, Verdict] = dict.fromkeys(gained[gained > 0].tolist(), "fixed")
    erased = np.unique(patch.before[is_changed & (after == 0)])
    for label in erased[erased > 0].tolist():
        verdicts[label] = "fixed"
    for label in np.unique(patch.before[is_changed & (patch.before > 0)]).tolist():
        if _loses_all(state, label, patch, after):
            verdicts[label] = "rejected"
    main = gained[gained > 0] if (gained > 0).any() else erased
    return edit(
        state,
        patch.slices,
        after,
        kind="paint",
        label=int(main[-1]),
        verdicts=verdicts,
    )


def _with_free_labels(state: State, patch: Patch) -> tuple[NDArray[np.int32], bool]:
    """Give painted numbers that stand for no object the next free ones."""
    after = patch.after
    count = len(state.table)
    ids = np.unique(after[patch.before != after])
    ids = ids[ids > 0]
    is_there = np.zeros(len(ids), np.bool_)
    is_row = ids <= count
    is_there[is_row] = state.table["area"].to_numpy()[ids[is_row] - 1] > 0
    strange = ids[~is_there]
    new = count + 1 + np.arange(len(strange))
    if np.array_equal(strange, new):
        return after, False
    after = after.copy()
    for old, fresh in zip(strange.tolist(), new.tolist(), strict=True):
        after[patch.after == old] = fresh
    return after, True


def _loses_all(
    state: State, label: int, patch: Patch, after: NDArray[np.int32]
) -> bool:
    lost = np.count_nonzero((patch.before == label) & (after != label))
    won = np.count_nonzero((patch.before != label) & (after == label))
    return bool(state.number(label, "area") + won == lost)
