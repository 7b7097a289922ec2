"""Objects that go on from plane to plane: a stack in 3D, a film as tracks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from napari_pffnet.config import LinkConfig

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    IntArray = NDArray[np.int64]

_LEADING = ("t", "z")
_MEANS = ("score", "quality", "confidence")


@dataclass(frozen=True, slots=True)
class Linked:
    """Objects that were linked along an axis.

    Attributes
    ----------
    labels
        int32, of the shape of those given; ids 1..M, in the order in which the
        objects begin along the axis.
    table
        One row a linked object, row i is label i + 1, with those of these columns
        that the table given allows: ``t`` and ``z`` are the plane in which it is
        largest; ``class`` is the one of most of its pixels; ``score``, ``quality``
        and ``confidence`` are means, weighted by the area in each plane; ``area``
        are all its pixels; the box spans all planes, half-open ``bbox_z0`` and
        ``bbox_z1`` (or t) included; ``touches_border``: in any plane; ``planes``
        counts those in which it was found; ``worst_quality`` is the lowest quality
        and ``worst_z`` (or t) its plane.
    parts
        One row a linked object and plane: the rows of the table given, with the new
        ``label``, and the one before as ``former``.
    """

    labels: NDArray[np.int32]
    table: pd.DataFrame
    parts: pd.DataFrame


def link_planes(
    labels: NDArray[np.integer[Any]],
    table: pd.DataFrame,
    *,
    axis: str,
    **options: Any,
) -> Linked:
    """Give outlines that overlap from plane to plane one id.

    Of two neighbouring planes those outlines are linked, one to one, that have the
    largest intersection over union, best pair first, down to ``min_overlap``.  The
    overlap is that of the outlines as they lie: a film whose objects move further
    than about half their width from frame to frame needs a tracker.

    Parameters
    ----------
    labels
        (..., Y, X), 0 is background; an id lies in one plane along the axis.
    table
        Row i is label i + 1.  Its columns ``t`` and ``z`` tell the planes, and are
        the leading axes of the labels in this order: as `segment_planes` gives them.
    axis
        ``"Z"`` links the slices of a stack, ``"T"`` the frames of a film.  For a
        film of stacks link along Z, and the result along T.
    **options
        Those of `LinkConfig`.

    Raises
    ------
    ValueError
        If there is no such axis, the labels hold numbers that no row of the table has,
        or the table is not that of these labels, as they came with it.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> labels = np.zeros((3, 6, 6), np.int32)
    >>> labels[0, 1:5, 1:5], labels[1, 1:5, 2:6], labels[2, :2, :2] = 1, 2, 3
    >>> table = pd.DataFrame({"label": [1, 2, 3], "z": [0, 1, 2]})
    >>> linked = link_planes(labels, table, axis="Z", min_overlap=0.3)
    >>> linked.table[["label", "area", "planes", "bbox_z0", "bbox_z1"]]
       label  area  planes  bbox_z0  bbox_z1
    0      1    32       2        0        2
    1      2     4       1        2        3
    """
    config, name = LinkConfig.of(options), axis.lower()
    _check_order(table)
    labels = _as_rows(labels, len(table))
    planes = np.moveaxis(labels, _position(labels, table, name), 0)
    numbers = table[name].to_numpy()
    areas = _areas(planes, numbers, name)
    found = np.flatnonzero(areas)
    # Review gives objects that were added the last numbers, in whichever plane.
    found = found[np.argsort(numbers[found - 1], kind="stable")]
    new = _numbered(_predecessors(planes, areas, config), found)
    parts = table.iloc[found - 1].assign(label=new[found], area=areas[found])
    parts.insert(1, "former", found.astype(np.int32))
    parts = parts.sort_values("label", kind="stable", ignore_index=True)
    return Linked(new[labels], _summarised(parts, name), parts)


def _check_order(table: pd.DataFrame) -> None:
    """Refuse a table that was sorted or filtered: its rows tell of other labels."""
    if "label" not in table:
        return
    wrong = np.flatnonzero(table["label"].to_numpy() != np.arange(1, len(table) + 1))
    if len(wrong):
        raise ValueError(
            f"Row {wrong[0]} of the table is label {table['label'].iloc[wrong[0]]} and "
            f"not {wrong[0] + 1}; give the table as it came with the labels, neither "
            "sorted nor filtered."
        )


def _as_rows(labels: NDArray[np.integer[Any]], count: int) -> NDArray[np.int32]:
    """Return labels that are counted in tables of this many rows, as int32.

    Of uint64 numpy would make floating-point numbers, which are no places in a table.
    """
    low, high = int(labels.min(initial=0)), int(labels.max(initial=0))
    if low < 0 or high > count:
        raise ValueError(
            f"The labels hold {low if low < 0 else high}, and the table has "
            f"{count} rows; give labels with their own table, in which row i is "
            "label i + 1."
        )
    return labels.astype(np.int32, copy=False)


def _position(labels: NDArray[np.int32], table: pd.DataFrame, name: str) -> int:
    """Return which axis of the labels is meant."""
    leading = [str(column) for column in table if column in _LEADING]
    if len(leading) != labels.ndim - 2:
        raise ValueError(
            f"Labels of shape {labels.shape} have {labels.ndim - 2} axes before rows "
            f"and columns, and the table tells of {len(leading)} ({leading}); it "
            "needs a column t or z for each."
        )
    if name not in leading:
        raise ValueError(
            f"There is no axis {name.upper()} to link along; these labels have "
            f"{' and '.join(leading).upper() or 'one plane only'}."
        )
    return leading.index(name)


# ------------------------------------------------------------------ which is which


def _areas(planes: NDArray[np.int32], numbers: NDArray[Any], name: str) -> IntArray:
    """Return the pixels of each label, (N + 1,); row i of the table is label i + 1.

    Raises
    ------
    ValueError
        If a label is not in the plane that the table says, or in another one too.
    """
    areas = np.zeros(len(numbers) + 1, np.int64)
    for number, plane in enumerate(planes):
        counts = np.bincount(plane.ravel())
        ids = np.flatnonzero(counts[1:]) + 1
        strange = ids[numbers[ids - 1] != number]
        if len(strange):
            raise ValueError(
                f"Label {strange[0]} lies in plane {name} = {number}, and the table "
                "says another one; give labels of which no number lies in two planes, "
                "with their own table. What is linked already cannot be linked again."
            )
        areas[ids] = counts[ids]
    return areas


def _predecessors(
    planes: NDArray[np.int32], areas: IntArray, config: LinkConfig
) -> list[int]:
    """Return for each label the one that it goes on from, or 0."""
    before, after = [0] * len(areas), [0] * len(areas)
    # What is linked to the next plane needs no bridge.
    for step in range(1, config.gap + 2):
        for first, second in zip(planes, planes[step:], strict=False):
            for one, other in _pairs(first, second, areas, config.min_overlap):
                if not after[one] and not before[other]:
                    after[one], before[other] = other, one
    return before


def _pairs(
    first: NDArray[np.int32],
    second: NDArray[np.int32],
    areas: IntArray,
    min_overlap: float,
) -> Sequence[tuple[int, int]]:
    """Return the pairs of labels that overlap enough, the best first.

    Of equal ones the lower labels come first.
    """
    both = (first > 0) & (second > 0)
    # One number for each pair of labels: counted by hashing, never labels x labels.
    numbers = first[both].astype(np.int64) * len(areas) + second[both]
    codes, pairs = pd.factorize(numbers)
    one, other = np.divmod(pairs, len(areas))
    shared = np.bincount(codes, minlength=len(pairs))
    overlaps = shared / (areas[one] + areas[other] - shared)
    order = np.lexsort((other, one, -overlaps))
    order = order[overlaps[order] >= min_overlap]
    return list(zip(one[order].tolist(), other[order].tolist(), strict=True))


def _numbered(before: Sequence[int], found: IntArray) -> NDArray[np.int32]:
    """Return the new number of each label; ``found`` are labels plane by plane."""
    new, count = [0] * len(before), 0
    for label in found.tolist():
        if before[label]:
            new[label] = new[before[label]]
        else:
            count += 1
            new[label] = count
    return np.array(new, np.int32)


# ------------------------------------------------------------------------ the table


def _summarised(parts: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return one row for each label; the columns are told in `Linked`."""
    groups = parts.groupby("label")
    table = _first(parts, ["area"], [False])[[c for c in _LEADING if c in parts]]
    if "class_id" in parts:
        columns = ["label", "class_id", "class"]
        areas = parts.groupby(columns)["area"].sum().reset_index()
        largest = _first(areas, ["area"], [False])
        table = table.join(largest[["class", "class_id"]])
    for column in _MEANS:
        if column in parts:
            table[column] = _weighted_mean(parts, column)
    table["area"] = groups["area"].sum()
    for side in [str(c) for c in parts if str(c).startswith("bbox_")]:
        table[side] = groups[side].agg("min" if side.endswith("0") else "max")
    if "touches_border" in parts:
        table["touches_border"] = groups["touches_border"].any()
    table[f"bbox_{name}0"] = groups[name].min()
    table[f"bbox_{name}1"] = groups[name].max() + 1
    table["planes"] = groups.size()
    if "quality" in parts:
        # Of what was linked along another axis, qualities are means.
        lowest = "worst_quality" if "worst_quality" in parts else "quality"
        worst = _first(parts, [lowest, "area"], [True, False])
        table["worst_quality"], table[f"worst_{name}"] = worst[lowest], worst[name]
    return table.reset_index()


def _first(
    rows: pd.DataFrame, columns: list[str], ascending: list[bool]
) -> pd.DataFrame:
    """Return the first row of each label in this order, by rising label."""
    ordered = rows.sort_values(["label", *columns], ascending=[True, *ascending])
    return ordered.drop_duplicates("label").set_index("label")


def _weighted_mean(parts: pd.DataFrame, column: str) -> pd.Series[Any]:
    """Return the mean of what is known of a column, weighted by area."""
    values, labels = parts[column], parts["label"]
    weights = parts["area"].where(values.notna())
    means = (values * weights).groupby(labels).sum() / weights.groupby(labels).sum()
    return means.astype(values.dtype)
