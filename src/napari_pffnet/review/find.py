"""Where reviews lie, and which one belongs to a layer."""

from __future__ import annotations

import hashlib
import logging
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_pffnet.catalog import user_models_dir
from napari_pffnet.review.session import ReviewSession
from napari_pffnet.review.store import ReviewFolder

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_log = logging.getLogger("napari_pffnet")

_SAMPLE = 4_000_000
# Without the image all reviews of the same size come into question.
_MOST_TRIED = 20
_LEAST_KEPT = 0.5
_PROBES = 1000


@dataclass(frozen=True, slots=True, eq=False)
class FoundReview:
    """A review that was written earlier, as it was left."""

    folder: ReviewFolder
    session: ReviewSession


def reviews_dir() -> Path:
    """Return the user's folder of reviews; NAPARI_PFFNET_HOME overrides its place."""
    return user_models_dir() / "reviews"


def image_key(image: Any, *, plane_axes: int = 2) -> str:
    """Return a key by which an image is known again, also in other sessions.

    It is a hash of shape, type and of at most 4 million values of the middle plane,
    so that lazy and large images need not be read as a whole.

    Parameters
    ----------
    image
        (..., Y, X), or (..., Y, X, S) with ``plane_axes`` 3; numpy or lazy.
    plane_axes
        How many of the last axes make a plane.
    """
    leading = image.shape[: len(image.shape) - plane_axes]
    plane = image[tuple(size // 2 for size in leading)]
    step = max(1, int(np.ceil(np.sqrt(np.prod(plane.shape) / _SAMPLE))))
    sample = np.asarray(plane[::step, ::step])
    values = np.ascontiguousarray(sample, sample.dtype.newbyteorder("<"))
    digest = hashlib.sha256(f"{tuple(image.shape)} {sample.dtype.name}".encode())
    digest.update(values.tobytes())
    return digest.hexdigest()


def review_place(image_key: str, labels_file: Path | None = None) -> Path:
    """Return where a new review is to lie.

    Beside the file of the labels where that is known and its folder can be written
    to, else in the user's folder.
    """
    if labels_file is not None and os.access(labels_file.parent, os.W_OK):
        return _beside(labels_file)
    return reviews_dir() / (image_key[:16] or "unknown-image")


def find_review(
    labels: NDArray[np.integer[Any]],
    image_key: str,
    labels_file: Path | None = None,
) -> FoundReview | None:
    """Return the review that labels belong to, if there is one.

    They do if they are as the review began, ended, or was at any step between; so
    labels that were saved in the middle of a review find it too.

    Parameters
    ----------
    labels
        (..., Y, X).
    image_key
        Of their image; "" if it is not known.
    labels_file
        The file that they were read from, where known.
    """
    folders = _folders(labels_file)
    same = [f for f in folders if f.header.shape == labels.shape]
    known = [f for f in same if image_key and f.header.image_key == image_key]
    unclear = [f for f in same if not (image_key and f.header.image_key)]
    # Without objects the labels alone say nothing.
    alike = (f for f in unclear[:_MOST_TRIED] if _is_alike(f, labels))
    for folder in (*known, *alike):
        session = _read(folder)
        if session is not None and _was_like(folder, session, labels):
            return FoundReview(folder, session)
    return None


def last_review(image_key: str) -> FoundReview | None:
    """Return the review of an image that was worked on last, if there is one."""
    for folder in _folders(None):
        if folder.header.image_key == image_key:
            session = _read(folder)
            if session is not None:
                return FoundReview(folder, session)
    return None


def _beside(labels_file: Path) -> Path:
    stem = labels_file.name.split(".")[0].removesuffix("_labels")
    return labels_file.with_name(f"{stem}_review")


def _folders(labels_file: Path | None) -> list[ReviewFolder]:
    """Return the reviews beside a file and in the user's folder, the last first."""
    places = list(reviews_dir().glob("*/"))
    if labels_file is not None:
        beside = _beside(labels_file)
        places += beside.parent.glob(f"{beside.name}*/")
    folders = []
    for place in places:
        try:
            folders.append(ReviewFolder(place))
        except ValueError as error:
            _log.debug("%s", error)
    return sorted(folders, key=lambda folder: -folder.last_change)


def _read(folder: ReviewFolder) -> ReviewSession | None:
    try:
        return folder.open()
    except ValueError as error:
        _log.warning("%s", error)
        return None


def _is_alike(folder: ReviewFolder, labels: NDArray[np.integer[Any]]) -> bool:
    """Tell quickly whether most objects were there when a review began."""
    try:
        start, _ = folder.start()
    except (OSError, KeyError, ValueError):
        return False
    kept = np.count_nonzero((start == labels) & (labels > 0))
    return bool(kept > 0 and kept >= _LEAST_KEPT * np.count_nonzero(labels))


def _was_like(
    folder: ReviewFolder, end: ReviewSession, labels: NDArray[np.integer[Any]]
) -> bool:
    """Tell whether a review has ever been in the state of these labels."""
    different = np.flatnonzero(end.labels != labels)
    if not len(different):
        return True
    # Of a large image a few pixels tell that a state is another one.
    some = different[:: max(1, len(different) // _PROBES)]
    wanted = labels.ravel()[some]
    session = ReviewSession(*folder.start())
    for step in (None, *folder.history()):
        if step is not None:
            session.replay([step])
            if step.action == "do" and step.patch is None:
                continue
        if not np.array_equal(session.labels.ravel()[some], wanted):
            continue
        if np.array_equal(session.labels, labels):
            return True
    return False
