"""What may be wrong with labels, in plain words, and how to mend it.  Knows no Qt."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_pffnet._qt.training_data import read_planes
from napari_pffnet.data.checks import (
    Finding,
    Problem,
    check_objects,
    check_values,
    split_components,
)
from napari_pffnet.data.pairs import check_folder
from napari_pffnet.data.training_image import MIN_AREA, number_densely

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from napari_pffnet._qt.training_data import PairSource, PlanePair
    from napari_pffnet.data.prepare import ReadRules

_STRAY = 0.1
"""Pieces of less than this share of an object are stray pixels."""


class Repair(StrEnum):
    """What is offered; the value is what the user reads, in a narrow dock."""

    SPLIT = "Make each region an object of its own"
    PIECES = "Part large pieces, drop stray pixels"
    TINY = "Take the tiny objects out"
    LEAVE_OUT = "Leave this image out"
    TRUST = "Learn from them all the same"


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something about a pair, or the folder, that the user should decide on.

    Attributes
    ----------
    source
        Name of the labels or of the folder.
    problem
        What kind of thing it is; "" for what nobody has reviewed.
    sentence
        What was found.
    repair
        What is offered, if anything.
    is_advised
        Whether the repair is what most people want.
    blocks
        Whether nothing can be learnt without the repair.
    """

    source: str
    problem: str
    sentence: str
    repair: Repair | None = None
    is_advised: bool = True
    blocks: bool = False

    @property
    def key(self) -> Choice:
        """What tells it from others."""
        return Choice(self.source, self.problem)


@dataclass(frozen=True, slots=True)
class Choice:
    """A trouble, by where it is and what it is."""

    source: str
    problem: str


@dataclass(frozen=True, slots=True)
class CheckedPairs:
    """The planes to learn from, mended as chosen, and all that was found."""

    planes: tuple[PlanePair, ...]
    troubles: tuple[Trouble, ...]


def check_pairs(
    sources: Sequence[PairSource],
    chosen: frozenset[Choice] = frozenset(),
    *,
    class_names: Sequence[str] = (),
) -> CheckedPairs:
    """Read all pairs, mend what was chosen, and say what was wrong.

    Call it in a thread: it reads every label.

    Parameters
    ----------
    sources
        The pairs.
    chosen
        Troubles whose repair the user wants.
    class_names
        As for `read_planes`.
    """
    planes: list[PlanePair] = []
    troubles: list[Trouble] = []
    for source in sources:
        try:
            read = read_planes(source, class_names)
        except ValueError as error:
            troubles.append(Trouble(source.name, "shape", str(error), blocks=True))
            continue
        for plane in read:
            found = _check_plane(plane)
            wanted = {x.repair for x in found if x.key in chosen}
            troubles += found
            mended = mend(plane, wanted)
            planes += [] if mended is None else [mended]
    return CheckedPairs(tuple(planes), _merged(troubles))


def check_training_folder(folder: str, rules: ReadRules) -> tuple[Trouble, ...]:
    """Say what is wrong with a folder of images and labels; call it in a thread."""
    try:
        findings = check_folder(folder, rules).findings
    except ValueError as error:
        return (Trouble(folder, "folder", str(error), blocks=True),)
    return _merged(
        Trouble(
            folder,
            finding.problem.value,
            f"{finding.name}: {_BINARY}" if _is_binary(finding) else str(finding),
            Repair.SPLIT if _is_binary(finding) else None,
            blocks=finding.severity == "error",
        )
        for finding in findings
        if finding.problem is not Problem.CHANNEL
    )


def mend(plane: PlanePair, repairs: Iterable[Repair | None]) -> PlanePair | None:
    """Return a plane as it is after repairs; None where it is left out.

    The layer itself is not changed.  In which order the repairs are given does not
    matter.
    """
    wanted = set(repairs)
    if Repair.LEAVE_OUT in wanted:
        return None
    labels = plane.labels
    classes = plane.classes
    if Repair.SPLIT in wanted:
        labels = split_components(labels)
    if Repair.PIECES in wanted:
        labels = _part_pieces(labels)
    # Last, as pieces that become objects may be tiny.
    if Repair.TINY in wanted:
        labels = _drop_tiny(labels)
    if labels is not plane.labels and classes is not None and classes.ndim == 1:
        # Parts of an object are of its class.
        classes = classes[plane.labels]
    return replace(plane, labels=labels, classes=classes)


# ---------------------------------------------------------------- one plane

_BINARY = (
    "one label covers several separate regions, as in a mask of foreground and "
    "background."
)
_TITLES = {Problem.PIECES: Repair.PIECES, Problem.TINY: Repair.TINY}


def _check_plane(plane: PlanePair) -> list[Trouble]:
    wrong = check_values(plane.labels, plane.name)
    if wrong:
        return [_trouble(plane, wrong[0], blocks=True)]
    if plane.is_guess and plane.labels.any():
        return [_unreviewed(plane), *_check_numbers(plane)]
    if plane.area is not None and not plane.area.any():
        return [_nothing_reviewed(plane)]
    return _check_numbers(plane)


def _check_numbers(plane: PlanePair) -> list[Trouble]:
    seen = plane.labels
    if plane.area is not None:
        seen = np.where(plane.area, seen, 0)
        if not seen.any():
            return []
    dense, numbers = number_densely(seen)
    return [
        _trouble(plane, finding, blocks=finding.severity == "error")
        for finding in check_objects(dense, plane.name, numbers=numbers)
    ]


def _trouble(plane: PlanePair, finding: Finding, *, blocks: bool) -> Trouble:
    problem = finding.problem
    repair: Repair | None
    if problem is Problem.BINARY:
        sentence, repair = f"{plane.name}: {_BINARY}", Repair.SPLIT
    elif problem is Problem.EMPTY:
        sentence = (
            f"{plane.name}: there are no objects. All of the image would be taught "
            "as background."
        )
        repair = Repair.LEAVE_OUT
    else:
        sentence, repair = str(finding), _TITLES.get(problem)
    advised = problem is not Problem.TINY
    return Trouble(plane.source, problem.value, sentence, repair, advised, blocks)


def _unreviewed(plane: PlanePair) -> Trouble:
    return Trouble(
        plane.source,
        "guess",
        f"{plane.source}: a model made these objects and nobody has reviewed them. "
        "It would learn its own mistakes; review some of them first.",
        Repair.TRUST,
        is_advised=False,
        blocks=True,
    )


def _nothing_reviewed(plane: PlanePair) -> Trouble:
    return Trouble(
        plane.source,
        "unreviewed",
        f"{plane.source}: no object has a verdict yet. Accept, reject or fix some in "
        "Review, or mark a finished part there.",
        Repair.LEAVE_OUT,
        is_advised=False,
        blocks=True,
    )


# ---------------------------------------------------------------- repairs


def _part_pieces(labels: NDArray[np.integer[Any]]) -> NDArray[np.int32]:
    """Make pieces objects; those that are small beside their object go."""
    pieces = split_components(labels)
    areas = np.bincount(pieces.ravel())
    owners = np.zeros(len(areas), np.int64)
    owners[pieces] = labels
    largest = np.zeros(int(owners.max(initial=0)) + 1, np.int64)
    np.maximum.at(largest, owners, areas)
    kept = areas >= np.maximum(_STRAY * largest[owners], 1)
    kept[0] = False
    return number_densely(np.where(kept[pieces], pieces, 0))[0]


def _drop_tiny(labels: NDArray[np.integer[Any]]) -> NDArray[np.int32]:
    dense, _ = number_densely(labels)
    kept = np.bincount(dense.ravel()) >= MIN_AREA
    return number_densely(np.where(kept[dense], dense, 0))[0]


def _is_binary(finding: Finding) -> bool:
    return finding.problem is Problem.BINARY


def _merged(troubles: Iterable[Trouble]) -> tuple[Trouble, ...]:
    """Keep the first of each kind in each source, and say how many there are."""
    first: dict[Choice, Trouble] = {}
    counts: dict[Choice, int] = {}
    for trouble in troubles:
        first.setdefault(trouble.key, trouble)
        counts[trouble.key] = counts.get(trouble.key, 0) + 1
    return tuple(
        replace(x, sentence=f"{x.sentence} The same in {counts[key] - 1} more.")
        if counts[key] > 1
        else x
        for key, x in first.items()
    )
