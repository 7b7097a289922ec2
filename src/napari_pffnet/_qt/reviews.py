"""Which layers are under review."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from napari.layers import Image, Labels

    from napari_pffnet.review import ReviewSession

_sessions: WeakKeyDictionary[Labels, ReviewSession] = WeakKeyDictionary()


def find_session(layer: Labels) -> ReviewSession | None:
    """Return the review of a layer, if one was begun in this window.

    Quick: no file is read.
    """
    return _sessions.get(layer)


def load_session(layer: Labels, image: Image | None = None) -> ReviewSession | None:
    """Return the review of a layer, also one that was written earlier.

    The layer itself is left as it is: the labels of the review are those of
    ``session.labels``.

    Parameters
    ----------
    layer
        Labels with objects.
    image
        The image that they lie in, by which written reviews are known.
    """
    return find_session(layer)


def keep_session(layer: Labels, session: ReviewSession) -> None:
    """Remember the review of a layer for as long as the layer is there."""
    _sessions[layer] = session
