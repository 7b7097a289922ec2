"""What may be wrong with annotations, each as a sentence for the annotator."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

import numpy as np
from skimage import measure

from napari_pffnet.data.training_image import MIN_AREA

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MOST_EXACT = 2**53
"""Beyond, floating-point numbers leave out integers."""

Severity = Literal["error", "warning"]


class Problem(StrEnum):
    """Kinds of findings."""

    UNREADABLE = "unreadable"
    PARTNER = "missing partner"
    SHAPE = "shapes differ"
    FLOAT = "float labels"
    NEGATIVE = "negative labels"
    COLOR = "colour labels"
    LOSSY = "lossy labels"
    BINARY = "binary mask"
    EMPTY = "no objects"
    PIECES = "objects in several pieces"
    TINY = "tiny objects"
    CLASSLESS = "objects without a class"
    HIDDEN = "hidden objects"
    CHANNEL = "channel chosen"


_WARNINGS = frozenset(
    {
        Problem.EMPTY,
        Problem.PIECES,
        Problem.TINY,
        Problem.CLASSLESS,
        Problem.HIDDEN,
        Problem.CHANNEL,
    }
)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about one annotated image that its owner should know.

    Attributes
    ----------
    problem
        What kind of thing it is.
    name
        The image.
    message
        One or two sentences: what was found and what to do.
    """

    problem: Problem
    name: str
    message: str

    @property
    def severity(self) -> Severity:
        """Whether the image cannot be used as it is (error) or can (warning)."""
        return "warning" if self.problem in _WARNINGS else "error"

    def __str__(self) -> str:
        """Return the sentence with the name of the image."""
        return f"{self.name}: {self.message}"


def check_values(labels: NDArray[np.generic], name: str) -> list[Finding]:
    """Check that an array can be read as object numbers at all.

    Parameters
    ----------
    labels
        Any array that is offered as a label image.
    name
        Of the image, for the message.
    """

    def error(problem: Problem, message: str) -> list[Finding]:
        return [Finding(problem, name, message)]

    if labels.ndim != 2:
        return error(
            Problem.COLOR if labels.ndim == 3 else Problem.SHAPE,
            f"The labels have shape {labels.shape}; save one integer for each pixel, "
            "(Y, X), the number of the object and 0 for background, not colours.",
        )
    if labels.dtype.kind not in "buif":
        return error(
            Problem.FLOAT,
            f"Labels of type {labels.dtype} are no integers; convert them.",
        )
    if labels.dtype.kind == "f":
        numbers = labels.astype(np.float64)
        is_number = (numbers == np.floor(numbers)) & (np.abs(numbers) <= _MOST_EXACT)
        if not is_number.all():
            value = labels[~is_number][0]
            return error(
                Problem.FLOAT,
                f"The labels hold {value:g}, which is no object number; save integers "
                "(a probability map has to be turned into objects first).",
            )
    if labels.size and labels.min() < 0:
        return error(
            Problem.NEGATIVE,
            f"The labels hold {labels.min():g}; number objects from 1 and use 0 for "
            "background. Unknown regions belong into a map in ignore/.",
        )
    return []


def check_objects(
    labels: NDArray[np.integer],
    name: str,
    *,
    numbers: NDArray[np.integer],
    may_be_mask: bool = True,
) -> list[Finding]:
    """Look for labels that are well formed and still seldom meant so.

    Parameters
    ----------
    labels
        (Y, X), 0 is background, objects are 1..N without gaps.
    name
        Of the image, for the message.
    numbers
        (N,) the numbers that the objects have in the annotator's file.
    may_be_mask
        Whether a single object may stand for all foreground; where each object was
        annotated by itself, it does not.
    """
    if len(numbers) == 0:
        message = "No objects; the image is kept as a negative example."
        return [Finding(Problem.EMPTY, name, message)]
    findings = []
    broken = objects_in_pieces(labels)
    if may_be_mask and len(numbers) == 1 and is_binary_mask(labels):
        message = (
            "One label covers several separate regions, as in a binary mask; make each "
            "region an object of its own with split_binary (--split-binary), or number "
            "the objects."
        )
        findings.append(Finding(Problem.BINARY, name, message))
    elif len(broken):
        message = (
            f"{_objects(len(broken))} in several pieces (label "
            f"{_some(numbers[broken - 1])}); check for stray pixels and for numbers "
            "used twice."
        )
        findings.append(Finding(Problem.PIECES, name, message))
    tiny = np.bincount(labels.ravel())[1:] < MIN_AREA
    if tiny.any():
        message = (
            f"{_objects(int(tiny.sum()))} smaller than {MIN_AREA} pixels (label "
            f"{_some(numbers[tiny])}); their pixels are ignored in training."
        )
        findings.append(Finding(Problem.TINY, name, message))
    return findings


def objects_in_pieces(labels: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return the labels of more than one 8-connected piece.

    Parameters
    ----------
    labels
        (Y, X), 0 is background, objects are 1..N without gaps.
    """
    pieces = split_components(labels)
    owners = np.zeros(pieces.max() + 1, np.int64)
    owners[pieces] = labels
    return np.flatnonzero(np.bincount(owners[1:]) > 1)


def is_binary_mask(labels: NDArray[np.integer]) -> bool:
    """Whether one label stands for several objects.

    True where two or more regions of one label are of like size: stray pixels
    beside one real object do not count.

    Parameters
    ----------
    labels
        (Y, X) with a single label besides 0.
    """
    areas = np.bincount(split_components(labels > 0).ravel())[1:]
    if len(areas) < 2:
        return False
    second, largest = np.sort(areas)[-2:]
    return bool(second >= max(MIN_AREA, 0.1 * largest))


def split_components(labels: NDArray[np.generic]) -> NDArray[np.int32]:
    """Make every 8-connected region of one value an object of its own.

    Parameters
    ----------
    labels
        (Y, X) integers or bool, 0 is background; not changed.

    Returns
    -------
    ndarray
        (Y, X) int32, objects 1..N.
    """
    values = labels.astype(np.int64)
    pieces = measure.label(values, connectivity=2)
    return np.asarray(pieces, np.int32)


def _objects(count: int) -> str:
    return "1 object is" if count == 1 else f"{count} objects are"


def _some(numbers: NDArray[np.integer]) -> str:
    shown = ", ".join(str(number) for number in numbers[:3])
    return f"{shown}, ..." if len(numbers) > 3 else shown
