"""The planes of a stack, one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_pffnet.instances import Instances

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Plane:
    """The painted objects of one plane.

    Attributes
    ----------
    place
        Number of the plane along ``t`` and ``z``, as far as the stack has them.
    found
        Its objects, in rising label.
    objects
        Their table.
    """

    place: dict[str, int]
    found: Instances
    objects: pd.DataFrame


def planes_of(
    labels: NDArray[np.integer[Any]] | Instances, objects: pd.DataFrame, axes: str
) -> Iterator[Plane]:
    """Yield the planes of a stack; an image is one.

    Parameters
    ----------
    labels
        (..., Y, X); 0 is background, ids go on from plane to plane.  Or the objects of
        one image, in the order of the table.
    objects
        Their table, a row for each label in rising order; of a stack with columns
        ``t``, ``z``.
    axes
        T and Z, as the labels have them; "" for an image.
    """
    if isinstance(labels, Instances):
        yield Plane({}, labels, objects)
        return
    names = axes.lower()
    for index in np.ndindex(labels.shape[:-2]):
        place = dict(zip(names, index, strict=True))
        rows = np.ones(len(objects), bool)
        for name, number in place.items():
            rows &= (objects[name] == number).to_numpy()
        yield Plane(place, Instances.from_labels(labels[index]), objects[rows])
