from __future__ import annotations

import numpy as np
import pytest

from napari_pffnet.review import ReviewSession


@pytest.fixture
def semantic(labels):
    """Foreground wherever an object is, a little beyond, and at two other places."""
    seen = np.zeros_like(labels, np.uint8)
    seen[0:10, 1:12] = 1
    seen[10:22, 0:20] = 1
    seen[28:36, 28:38] = 1
    seen[30:32, 2:4] = 1
    return seen


def test_places_without_an_object_are_found_but_no_rims_or_specks(
    labels, table, semantic
):
    (miss,) = ReviewSession(labels, table).misses(semantic)
    assert (miss.place.y0, miss.place.x0) == (28, 28)
    assert miss.area > 60


def test_rejected_object_is_no_miss_unless_it_is_foreground(labels, table, semantic):
    session = ReviewSession(labels, table)
    session.reject(1)
    assert len(session.misses(semantic)) == 2


def test_dismissed_place_is_not_offered_again(labels, table, semantic):
    session = ReviewSession(labels, table)
    session.dismiss(session.misses(semantic)[0])
    assert session.misses(semantic) == []
    session.undo()
    assert len(session.misses(semantic)) == 1


def test_miss_becomes_an_object(labels, table, semantic):
    session = ReviewSession(labels, table)
    (miss,) = session.misses(semantic)
    label = session.add(miss.place, miss.mask)
    assert (labels == label).sum() == miss.area
    assert session.misses(semantic) == []


def test_other_shape_is_refused(labels, table):
    with pytest.raises(ValueError, match="same image"):
        ReviewSession(labels, table).misses(np.zeros((3, 3), np.uint8))
