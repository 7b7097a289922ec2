"""Changes of pixels that can be undone."""

from __future__ import annotations

import base64
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Labels = NDArray[np.integer[Any]]

_TYPE = np.dtype("<i4")


class StoredPatch(BaseModel):
    """A patch in a file: the labels of a box after the change."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    start: tuple[int, ...]
    shape: tuple[int, ...]
    pixels: str


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """What a box of a label image was before a change, and what it is after.

    Attributes
    ----------
    start
        The first pixel of the box, one number an axis.
    before, after
        int32 labels of the box.
    """

    start: tuple[int, ...]
    before: NDArray[np.int32]
    after: NDArray[np.int32]

    @classmethod
    def between(
        cls, before: Labels, after: Labels, start: Sequence[int] | None = None
    ) -> Self | None:
        """Return the smallest patch that turns one array into the other, if any.

        Parameters
        ----------
        before, after
            The same box of the label image.
        start
            Its first pixel; by default that of the image.
        """
        is_changed = before != after
        box = []
        for axis in range(is_changed.ndim):
            others = tuple(i for i in range(is_changed.ndim) if i != axis)
            places = np.flatnonzero(is_changed.any(axis=others))
            if len(places) == 0:
                return None
            box.append(slice(int(places[0]), int(places[-1]) + 1))
        first = [0] * len(box) if start is None else start
        return cls(
            tuple(a + b.start for a, b in zip(first, box, strict=True)),
            before[tuple(box)].astype(np.int32),
            after[tuple(box)].astype(np.int32),
        )

    @property
    def slices(self) -> tuple[slice, ...]:
        """The box in the label image."""
        sizes = zip(self.start, self.after.shape, strict=True)
        return tuple(slice(first, first + size) for first, size in sizes)

    @property
    def touched(self) -> tuple[int, ...]:
        """Labels that won or lost a pixel, rising."""
        is_changed = self.before != self.after
        ids = np.union1d(self.before[is_changed], self.after[is_changed])
        return tuple(ids[ids > 0].tolist())

    def apply(self, labels: Labels) -> None:
        """Change the pixels that are as they were before."""
        _exchange(labels[self.slices], self.before, self.after)

    def revert(self, labels: Labels) -> None:
        """Change back the pixels that are still as this patch left them."""
        _exchange(labels[self.slices], self.after, self.before)

    def stored(self) -> StoredPatch:
        """Return what a file keeps of it."""
        packed = zlib.compress(np.ascontiguousarray(self.after, _TYPE).tobytes())
        pixels = base64.b64encode(packed).decode()
        return StoredPatch(start=self.start, shape=self.after.shape, pixels=pixels)

    @classmethod
    def restored(cls, stored: StoredPatch, labels: Labels) -> Self:
        """Return a patch of a file, for labels as they were when it was made."""
        packed = zlib.decompress(base64.b64decode(stored.pixels))
        after = np.frombuffer(packed, _TYPE).reshape(stored.shape).astype(np.int32)
        sizes = zip(stored.start, stored.shape, strict=True)
        box = tuple(slice(first, first + size) for first, size in sizes)
        return cls(stored.start, labels[box].astype(np.int32), after)


def _exchange(window: Labels, old: Labels, new: Labels) -> None:
    """Put new labels where the old ones are and differ."""
    where = (window == old) & (old != new)
    window[where] = new[where]
