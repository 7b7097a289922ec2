from __future__ import annotations

import numpy as np
import pytest

from napari_pffnet.review import Rectangle, ReviewSession


@pytest.fixture
def session(labels, table) -> ReviewSession:
    return ReviewSession(labels, table)


def test_nothing_counts_before_the_first_verdict(session):
    assert not session.reviewed_area().any()


def test_box_of_a_verdict_grows_by_half_its_size(session):
    session.accept(1)
    rows, columns = np.nonzero(session.reviewed_area())
    assert (rows.max(), columns.min(), columns.max()) == (9, 0, 11)


def test_rejected_object_is_background_to_learn_from(session, labels):
    session.reject(1)
    assert session.reviewed_area()[0:8, 2:10].all()
    assert not labels[0:8, 2:10].any()


def test_objects_without_a_verdict_are_left_out(session, labels):
    session.accept(2)
    area = session.reviewed_area()
    assert area[labels == 2].all()
    assert not area[labels == 3].any()
    assert area[20, 4]


def test_done_rectangles_count_and_nothing_else(session, labels):
    session.accept(1)
    session.mark_done([Rectangle(10, 0, 24, 14)])
    area = session.reviewed_area()
    assert area[labels == 2].all()
    assert not area[labels == 1].any()
    # It reaches out of the rectangle, and nobody has said what it is.
    assert not area[labels == 3].any()
    session.accept(3)
    assert session.reviewed_area()[12:20, 10:14].all()


def test_complete_image_counts_as_a_whole(session):
    session.set_complete(True)
    assert session.reviewed_area().all()
    session.undo()
    assert not session.reviewed_area().any()


@pytest.fixture
def linked() -> ReviewSession:
    """Two slices: object 1 is larger in the second one, object 2 in the first."""
    stack = np.zeros((2, 40, 60), np.int32)
    stack[0, 10:16, 10:16] = 1
    stack[1, 8:20, 8:20] = 1
    stack[0, 8:20, 22:34] = 2
    stack[1, 10:16, 22:28] = 2
    return ReviewSession(stack, None)


def test_a_part_without_a_verdict_of_an_object_of_another_slice_is_left_out(linked):
    linked.accept(1)
    area = linked.reviewed_area((1,))
    assert area[linked.labels[1] == 1].all()
    assert not area[linked.labels[1] == 2].any()
    linked.mark_done([Rectangle(0, 0, 40, 25, plane=(1,))])
    assert not linked.reviewed_area((1,))[linked.labels[1] == 2].any()


def test_an_object_counts_in_every_slice_that_it_lies_in(linked):
    linked.accept(1)
    rows, columns = np.nonzero(linked.reviewed_area((0,)))
    # Half as large again as it is here, not where it is largest.
    assert (rows.min(), rows.max(), columns.min()) == (8, 17, 8)


def test_slices_without_objects_teach_only_what_was_rejected_there(linked):
    for label in (1, 2):
        linked.reject(label)
    for plane, corner in (((0,), (8, 22)), ((1,), (8, 8))):
        area = linked.reviewed_area(plane)
        assert area[corner]
        assert area.sum() == 18 * 18


def test_plane_stays_as_it_was_when_it_was_copied(session):
    session.accept(1)
    area = session.reviewed_area()
    plane = session.reviewed_plane().copy()
    session.reject(2)
    session.set_complete(True)
    assert np.array_equal(plane.reviewed_area(), area)
