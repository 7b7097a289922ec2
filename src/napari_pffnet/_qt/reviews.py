"""Which layers are under review.

What works on a review is imported where it is used, so that widgets open sooner.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary, WeakSet

import numpy as np

from napari_pffnet._qt.layers import finest, table_from_features
from napari_pffnet._qt.placement import Placement

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Image, Labels

    from napari_pffnet.review.session import ReviewSession
    from napari_pffnet.review.store import ReviewFolder


@dataclass(frozen=True, slots=True, eq=False)
class OpenReview:
    """The review of a layer.

    Attributes
    ----------
    session
        Edits the layer's own array.
    folder
        Where its steps are kept.
    was_found
        Whether it was begun earlier.
    """

    session: ReviewSession
    folder: ReviewFolder
    was_found: bool


_reviews: WeakKeyDictionary[Labels, OpenReview] = WeakKeyDictionary()
_going_on: WeakSet[Labels] = WeakSet()


def find_session(layer: Labels) -> ReviewSession | None:
    """Return the review of a layer, if one was begun in this window.

    Quick: no file is read.
    """
    review = _find(layer)
    return None if review is None else review.session


def load_session(layer: Labels, image: Image | None = None) -> ReviewSession | None:
    """Return the review of a layer, also one that was written earlier.

    Without either, what the verdicts in its table say: files carry them elsewhere.
    The layer itself is left as it is: the labels of the review are those of
    ``session.labels``.

    Parameters
    ----------
    layer
        Labels with objects.
    image
        The image that they lie in, by which written reviews are known.
    """
    from napari_pffnet.review.find import find_review

    session = find_session(layer)
    if session is not None or layer.multiscale:
        return session
    found = find_review(np.asarray(layer.data), key_of(image), _file_of(layer))
    if found is not None:
        return found.session
    return _told_by_table(layer) if has_verdicts(layer) else None


def has_verdicts(layer: Labels) -> bool:
    """Whether the table of a layer says of any object what a person thinks of it."""
    table = layer.features
    if layer.multiscale or not {"verdict", "area"} <= set(table):
        return False
    return bool((table["verdict"].fillna("") != "").any())


def _told_by_table(layer: Labels) -> ReviewSession:
    from napari_pffnet.review.session import ReviewSession

    return ReviewSession(layer.data, table_from_features(layer.features))


def open_review(layer: Labels, image: Image | None = None) -> OpenReview:
    """Begin the review of a layer, or go on with the one that was begun earlier.

    Until `end_review` no other layer gets the same one.

    Parameters
    ----------
    layer
        Gets the labels of the review if there is one; its array is then edited in
        place, as 32-bit numbers.
    image
        The image that they lie in, by which written reviews are known.

    Raises
    ------
    ValueError
        If the labels cannot be reviewed, or nothing can be written.
    """
    review = _find(layer) or _open(layer, image)
    _going_on.add(layer)
    return review


def end_review(layer: Labels) -> None:
    """Let another layer go on with the review of this one; its session stays."""
    _going_on.discard(layer)


def earlier_review(viewer: Viewer, image: Image | None) -> Labels:
    """Show the objects of the review of an image that was worked on last.

    Raises
    ------
    ValueError
        If there is none, or its labels do not fit the image.
    """
    from napari_pffnet.review.find import last_review

    found = None if image is None else last_review(key_of(image))
    if image is None or found is None:
        raise ValueError(
            "There is no earlier review of this image; segment it, or open a layer "
            "with objects."
        )
    shape = found.session.labels.shape
    place = Placement.of_labels(shape, image)
    if place is None:
        planes = tuple(finest(image).shape)
        raise ValueError(
            f"The objects of the earlier review have the shape {shape}, which does not "
            f"fit {image.name!r} of shape {planes}; open the labels that you "
            f"reviewed, or labels.tif in {found.folder.path}, and review that layer."
        )
    return viewer.add_labels(
        found.session.labels, name=f"{image.name} instances", **place.options
    )


def key_of(image: Image | None) -> str:
    """Return the key by which an image is known again; "" without an image."""
    from napari_pffnet.review.find import image_key

    if image is None:
        return ""
    return image_key(finest(image), plane_axes=3 if image.rgb else 2)


def _open(layer: Labels, image: Image | None) -> OpenReview:
    from napari_pffnet.review.find import find_review
    from napari_pffnet.review.table import check_reviewable

    if layer.multiscale:
        raise ValueError(
            f"{layer.name!r} has several resolutions; review a layer with one."
        )
    check_reviewable(layer.data)
    if layer.data.dtype != np.int32 or not layer.data.flags.writeable:
        features = layer.features
        layer.data = layer.data.astype(np.int32)
        layer.features = features
    file = _file_of(layer)
    found = find_review(layer.data, key_of(image), file)
    if found is not None and _is_free(found.folder):
        found.session.show_in(layer.data)
        review = OpenReview(found.session, found.folder, was_found=True)
    else:
        review = _begin(layer, key_of(image), file)
    _reviews[layer] = review
    return review


def _begin(layer: Labels, key: str, file: Path | None) -> OpenReview:
    from napari_pffnet.review.find import review_place
    from napari_pffnet.review.session import ReviewSession
    from napari_pffnet.review.store import ReviewFolder

    table = table_from_features(layer.features) if len(layer.features.columns) else None
    session = ReviewSession(layer.data, table)
    try:
        folder = ReviewFolder.create(
            review_place(key, file), session, name=layer.name, image_key=key
        )
    except OSError as error:
        raise ValueError(
            f"The review cannot be written: {error}. Free some space, or set "
            "NAPARI_PFFNET_HOME to a folder that can be written to."
        ) from error
    return OpenReview(session, folder, was_found=False)


def _find(layer: Labels) -> OpenReview | None:
    """Return the review of a layer whose array is still the one that is reviewed."""
    review = _reviews.get(layer)
    if review is None or review.session.labels is not layer.data:
        return None
    return review


def _is_free(folder: ReviewFolder) -> bool:
    """Take a review from the layers that it no longer goes on in, if it is none's."""
    holders = [x for x, r in _reviews.items() if r.folder.path == folder.path]
    if any(layer in _going_on for layer in holders):
        return False
    for layer in holders:
        del _reviews[layer]
    return True


def _file_of(layer: Labels) -> Path | None:
    path = layer.source.path
    return Path(path) if path and Path(path).is_file() else None
