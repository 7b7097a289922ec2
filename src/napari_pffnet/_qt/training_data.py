"""What a training learns from: layers as they were at the click.  Knows no Qt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_pffnet.messages import TrainingPair

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_pffnet._qt.layers import ImageSource
    from napari_pffnet.review import ReviewSession

_LEADING = "TZ"


@dataclass(frozen=True, slots=True)
class PairSource:
    """An image layer and its labels; no pixel of it was touched yet.

    Attributes
    ----------
    image
        The image.
    labels
        (..., Y, X) integers, those of the review where there is one.
    name
        What the user calls the labels.
    session
        The review of the labels, if there is one in this window.
    find_review
        Looks for one that was written earlier.
    is_guess
        Whether a model made the labels.
    classes
        Name of the class by label, or a class map of the shape of the labels, lazy
        or not; None where all objects are of one class.
    """

    image: ImageSource
    labels: Any
    name: str
    session: ReviewSession | None = None
    find_review: Callable[[], ReviewSession | None] = lambda: None
    is_guess: bool = False
    classes: Mapping[int, str] | Any | None = None

    def reviewed(self) -> PairSource:
        """Return the pair with its review, also an earlier one; reads files."""
        session = self.session or self.find_review()
        if session is None or session.labels.shape != tuple(self.labels.shape):
            return self
        return replace(self, session=session, labels=session.labels)


@dataclass(frozen=True, slots=True)
class PlanePair:
    """One plane of a pair, in memory.

    Attributes
    ----------
    image
        Of the plane alone.
    labels
        (Y, X) integers.
    name
        Of the labels, with the plane's number in a stack.
    source
        Name of the labels.
    area
        (Y, X) bool, where a person vouches for the labels; None: everywhere.
    is_guess
        Whether a model made the labels and nobody has looked at them.
    classes
        (N + 1,) or (Y, X) numbers of classes from 1, 0 for none.
    """

    image: ImageSource
    labels: NDArray[np.integer[Any]]
    name: str
    source: str
    area: NDArray[np.bool_] | None = None
    is_guess: bool = False
    classes: NDArray[np.integer[Any]] | None = None

    def write(self, folder: Path, name: str) -> TrainingPair:
        """Write the arrays for the child process."""
        from napari_pffnet._qt.arrays import write_array

        ignore = None if self.area is None else ~self.area
        return TrainingPair(
            image=self.image.write(folder, f"{name} image"),
            labels=write_array(folder, f"{name} labels", self.labels),
            ignore=(
                None
                if ignore is None
                else write_array(folder, f"{name} unknown", ignore)
            ),
            classes=(
                None
                if self.classes is None
                else write_array(folder, f"{name} classes", self.classes)
            ),
        )


def read_planes(source: PairSource, class_names: Sequence[str] = ()) -> list[PlanePair]:
    """Return the planes of a pair that have something to learn from.

    Of a stack those with an object or a reviewed part; a single plane always.

    Parameters
    ----------
    source
        The pair; its labels and its review are read here.
    class_names
        Names of the classes, in order of their numbers from 1.

    Raises
    ------
    ValueError
        If image and labels have different shapes.
    """
    source = source.reviewed()
    leading = _check_shapes(source)
    planes = (_plane(source, index, class_names) for index in _indices(leading))
    if not leading:
        return list(planes)
    return [
        plane
        for plane in planes
        if (plane.labels.any() if plane.area is None else plane.area.any())
    ]


def class_names_of(sources: Sequence[PairSource], known: Sequence[str]) -> list[str]:
    """Return the names of all classes that the pairs name; reads class maps.

    Parameters
    ----------
    sources
        The pairs.
    known
        Classes of the base model: their order is kept if they are all there is.
    """
    found: set[str] = set()
    for source in sources:
        if isinstance(source.classes, Mapping):
            found |= set(source.classes.values())
        elif source.classes is not None:
            count = int(np.asarray(source.classes).max(initial=0))
            found |= {f"class {number}" for number in range(1, count + 1)}
    if found <= set(known):
        return list(known)
    return sorted(found, key=lambda name: (len(name), name))


def _check_shapes(source: PairSource) -> tuple[int, ...]:
    """Return how many planes there are along each leading axis."""
    axes, shape = source.image.axes, source.image.data.shape
    leading = tuple(shape[axes.index(x)] for x in axes if x in _LEADING)
    wanted = (*leading, *source.image.shape_yx)
    if tuple(source.labels.shape) != wanted:
        raise ValueError(
            f"{source.name!r} has {_size(source.labels.shape)} pixels and the image "
            f"{source.image.name!r} {_size(wanted)}. Choose the labels that belong to "
            "this image."
        )
    return leading


def _size(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))


def _indices(leading: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    return product(*(range(count) for count in leading))


def _plane(
    source: PairSource, index: tuple[int, ...], class_names: Sequence[str]
) -> PlanePair:
    name = source.name
    if index:
        name += f", plane {' '.join(str(number) for number in index)}"
    session = source.session
    area = None if session is None else session.reviewed_area(index)
    labels = np.asarray(source.labels[index])
    return PlanePair(
        image=_plane_of_image(source.image, index),
        labels=labels,
        name=name,
        source=source.name,
        area=None if area is None or area.all() else area,
        is_guess=source.is_guess and session is None,
        classes=_classes(source, index, int(labels.max(initial=0)), class_names),
    )


def _plane_of_image(image: ImageSource, index: tuple[int, ...]) -> ImageSource:
    numbers = iter(index)
    where = tuple(next(numbers) if x in _LEADING else slice(None) for x in image.axes)
    axes = "".join(x for x in image.axes if x not in _LEADING)
    return replace(image, data=image.data[where] if index else image.data, axes=axes)


def _classes(
    source: PairSource, index: tuple[int, ...], count: int, names: Sequence[str]
) -> NDArray[np.integer[Any]] | None:
    if source.classes is None or not names:
        return None
    if not isinstance(source.classes, Mapping):
        return np.asarray(source.classes[index])
    numbers = {name: number for number, name in enumerate(names, start=1)}
    by_label = np.zeros(count + 1, np.int64)
    for label, name in source.classes.items():
        if 0 < label <= count:
            by_label[label] = numbers[name]
    return by_label
