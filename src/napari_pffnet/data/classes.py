"""The class of each object, from a map of classes or a list of them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Classes = Mapping[int, int] | NDArray[np.integer]
"""Class of each label, or a class map (Y, X) that belongs to the label image."""


def class_of_objects(
    labels: NDArray[np.integer],
    classes: Classes,
    *,
    numbers: NDArray[np.integer],
    class_count: int,
) -> NDArray[np.int64]:
    """Find the class of each object; 0 where there is none.

    Parameters
    ----------
    labels
        (Y, X), 0 is background, objects are 1..N without gaps.
    classes
        Class (1..C) of each of ``numbers``, or a (Y, X) map, of which each
        object takes the class that most of its pixels have; values outside
        1..C do not vote.
    numbers
        (N,) the numbers that the objects have in the annotator's file.
    class_count
        C.

    Raises
    ------
    ValueError
        If a class that is given for an object is not in 1..C.
    """
    if isinstance(classes, np.ndarray):
        return _majority(labels, classes, class_count)
    ids = [int(classes.get(int(number), 0)) for number in numbers]
    for number, class_id in zip(numbers, ids, strict=True):
        if not 0 <= class_id <= class_count:
            raise ValueError(
                f"Label {number} has class {class_id} and the model has classes 1 to "
                f"{class_count}; give one of these."
            )
    return np.array(ids, np.int64)


def _majority(
    labels: NDArray[np.integer], class_map: NDArray[np.integer], class_count: int
) -> NDArray[np.int64]:
    votes = np.where((class_map > 0) & (class_map <= class_count), class_map, 0)
    width = class_count + 1
    count = int(labels.max(initial=0))
    pairs = labels.astype(np.int64) * width + votes.astype(np.int64)
    table = np.bincount(pairs.ravel(), minlength=(count + 1) * width)
    table = table.reshape(count + 1, width)[1:, 1:]
    return np.where(table.any(1), table.argmax(1) + 1, 0)
