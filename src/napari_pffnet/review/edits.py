"""Repairs of objects: each returns the step that does it, and changes nothing."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage
from skimage.draw import line

from napari_pffnet.review.patches import Patch
from napari_pffnet.review.steps import CellChange, Step
from napari_pffnet.review.table import BOX, leading_columns, measure

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from napari_pffnet.review.steps import Cell, State, StepKind, Verdict

    Labels = NDArray[np.integer[Any]]
    Box = tuple[slice, ...]

# Smaller pieces beside a cut are crumbs of the drawn line.
_LEAST_PIECE = 4


def find_box(state: State, label: int) -> Box:
    """Return the box of an object's pixels.

    Raises
    ------
    ValueError
        If it has none.
    """
    if not 0 < label <= len(state.table) or state.number(label, "area") == 0:
        raise ValueError(f"Object {label} has no pixels; choose another one.")
    y0, x0, y1, x1 = (state.number(label, name) for name in BOX)
    columns = leading_columns(state.known.shape, state.table)
    plane = [state.number(label, name) for name in columns]
    flat = tuple(slice(i, i + 1) for i in plane)
    box = (*flat, slice(y0, y1), slice(x0, x1))
    if np.count_nonzero(state.known[box] == label) == state.number(label, "area"):
        return box
    # It goes on in other planes.
    places = np.nonzero(state.known == label)
    return tuple(slice(int(i.min()), int(i.max()) + 1) for i in places)


def erase(state: State, label: int, kind: StepKind) -> Step:
    """Take out the pixels of an object; its row stays, with the verdict rejected."""
    box = find_box(state, label)
    after = np.where(state.known[box] == label, 0, state.known[box])
    verdicts: dict[int, Verdict] = {label: "rejected"}
    return edit(state, box, after, kind=kind, label=label, verdicts=verdicts)


def merge(state: State, label: int, other: int) -> Step:
    """Make ``other`` a part of ``label``.

    Raises
    ------
    ValueError
        If they are the same, or one of them has no pixels.
    """
    if label == other:
        raise ValueError(f"Object {label} cannot be merged with itself.")
    find_box(state, label)
    box = find_box(state, other)
    after = np.where(state.known[box] == other, label, state.known[box])
    verdicts: dict[int, Verdict] = {label: "fixed", other: "merged"}
    return edit(state, box, after, kind="merge", label=label, verdicts=verdicts)


def split(
    state: State,
    label: int,
    path: NDArray[np.floating[Any]],
    plane: tuple[int, ...] = (),
) -> Step:
    """Cut an object along a line; its largest piece keeps the label.

    Parameters
    ----------
    state
        Is not changed.
    label
        The object.
    path
        (K, 2) points y, x of the line; pixel i covers [i, i + 1).
    plane
        The plane that the line was drawn in, of a stack.

    Raises
    ------
    ValueError
        If the line does not cut the object in two.
    """
    box = (*(slice(i, i + 1) for i in plane), *find_box(state, label)[-2:])
    window = state.known[box]
    mask = (window == label).reshape(window.shape[-2:])
    origin = (box[-2].start, box[-1].start)
    pieces, count = _pieces(mask, _cut(path, origin, mask.shape))
    if count < 2:
        raise ValueError(
            f"The line does not cut object {label} in two; draw it right across, "
            "from outside to outside."
        )
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)
    sizes[0] = 0
    new_ids = np.zeros(count + 1, np.int32)
    others = [i for i in range(1, count + 1) if i != sizes.argmax()]
    new_ids[sizes.argmax()] = label
    new_ids[others] = len(state.table) + 1 + np.arange(count - 1)
    after = np.where(mask, new_ids[pieces], window.reshape(mask.shape))
    verdicts: dict[int, Verdict] = dict.fromkeys(new_ids[1:].tolist(), "fixed")
    after = after.reshape(window.shape)
    return edit(state, box, after, kind="split", label=label, verdicts=verdicts)


def add(state: State, box: Box, mask: NDArray[np.bool_]) -> Step:
    """Make free pixels a new object.

    Raises
    ------
    ValueError
        If all of them belong to objects already.
    """
    window = state.known[box]
    free = mask & (window == 0)
    if not free.any():
        raise ValueError("There is an object already; choose a free place.")
    label = len(state.table) + 1
    after = np.where(free, label, window)
    verdicts: dict[int, Verdict] = {label: "fixed"}
    return edit(state, box, after, kind="add", label=label, verdicts=verdicts)


def edit(
    state: State,
    box: Box,
    after: Labels,
    *,
    kind: StepKind,
    label: int,
    verdicts: dict[int, Verdict],
) -> Step:
    """Return the step that puts new labels into a box and gives verdicts.

    Parameters
    ----------
    state
        Is not changed.
    box, after
        Where, and the labels there afterwards.
    kind, label
        Of the step.
    verdicts
        Of objects that get one; new objects begin a new row each.
    """
    start = [part.start or 0 for part in box]
    patch = Patch.between(state.known[box], after, start)
    touched = () if patch is None else patch.touched
    rows = max(len(state.table), *touched, *verdicts, 0)
    cells = [
        *_describe_new(state, range(len(state.table) + 1, rows + 1)),
        *(state.cell(i, "verdict", verdict) for i, verdict in verdicts.items()),
        *_measured(state, box, after, touched),
    ]
    return Step(
        kind=kind,
        label=label,
        patch=patch,
        cells=tuple(cells),
        rows=(len(state.table), rows) if rows > len(state.table) else None,
    )


def _describe_new(state: State, labels: Iterable[int]) -> list[CellChange]:
    """Give new objects the class that most objects have."""
    usual: dict[str, Cell] = {"class": "object", "class_id": 1}
    if len(state.table):
        common = int(state.table["class_id"].mode().iloc[0])
        first = state.table.loc[state.table["class_id"] == common].iloc[0]
        usual = {"class": str(first["class"]), "class_id": common}
    return [state.cell(i, name, value) for i in labels for name, value in usual.items()]


def _measured(
    state: State, box: Box, after: Labels, touched: Sequence[int]
) -> list[CellChange]:
    """Measure the objects of a change in the labels as they will be."""
    if not touched:
        return []
    wide = _reach(state, box, touched)
    window = state.known[wide].copy()
    inner = tuple(
        slice(a.start - b.start, a.stop - b.start)
        for a, b in zip(box, wide, strict=True)
    )
    window[inner] = after
    window[~np.isin(window, touched)] = 0
    leading = leading_columns(state.known.shape, state.table)
    found = measure(window, leading).set_index("label")
    *plane, y, x = (part.start for part in wide)
    for name, offset in zip((*leading, *BOX), (*plane, y, x, y, x), strict=True):
        found[name] += offset
    boxes = found[list(BOX)].to_numpy()
    at_end = boxes[:, 2:] == np.array(state.known.shape[-2:])
    found["touches_border"] = ((boxes[:, :2] == 0) | at_end).any(axis=1)
    columns = [*found.columns]
    cells = [state.cell(i, "area", 0) for i in touched if i not in found.index]
    for row in found.itertuples():
        values = zip(columns, row[1:], strict=True)
        cells += [state.cell(int(row[0]), name, value) for name, value in values]
    return cells


def _reach(state: State, box: Box, touched: Sequence[int]) -> Box:
    """Widen a box to hold all pixels of the objects of a change."""
    known = [i for i in touched if i <= len(state.table)]
    with_pixels = [i for i in known if state.number(i, "area") > 0]
    boxes = [box, *(find_box(state, i) for i in with_pixels)]
    return tuple(
        slice(min(p.start for p in parts), max(p.stop for p in parts))
        for parts in zip(*boxes, strict=True)
    )


def _cut(
    path: NDArray[np.floating[Any]], origin: Sequence[int], shape: Sequence[int]
) -> NDArray[np.bool_]:
    """Draw a line that pixels cannot pass, not even over corners."""
    points = np.floor(np.asarray(path, np.float64)).astype(int) - origin
    drawn = np.zeros(shape, np.bool_)
    for (y0, x0), (y1, x1) in pairwise(points.tolist()):
        rows, columns = line(y0, x0, y1, x1)
        inside = (rows >= 0) & (rows < shape[0]) & (columns >= 0) & (columns < shape[1])
        drawn[rows[inside], columns[inside]] = True
    return drawn


def _pieces(
    mask: NDArray[np.bool_], cut: NDArray[np.bool_]
) -> tuple[NDArray[np.int32], int]:
    """Tell which piece each pixel belongs to; those of the cut go to the nearest."""
    # Pieces that touch at a corner are two: a drawn line is passed over corners.
    parts, count = ndimage.label(mask & ~cut)
    sizes = np.bincount(parts.ravel(), minlength=count + 1)
    keeps = sizes >= _LEAST_PIECE
    keeps[0] = False
    parts = (np.cumsum(keeps) * keeps)[parts]
    if not keeps.any():
        return mask.astype(np.int32), 1
    nearest = ndimage.distance_transform_edt(
        parts == 0, return_distances=False, return_indices=True
    )
    return np.where(mask, parts[tuple(nearest)], 0).astype(np.int32), int(keeps.sum())
