from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from napari_pffnet.review import Rectangle, ReviewSession
from napari_pffnet.review.patches import Patch
from napari_pffnet.review.steps import StoredStep

TOP_RIGHT = Rectangle(0, 20, 10, 30)


@pytest.fixture
def session(labels, table) -> ReviewSession:
    return ReviewSession(labels, table)


def verdicts(session: ReviewSession) -> list[str]:
    return session.table["verdict"].tolist()


def test_verdicts_are_counted(session):
    session.accept(1)
    session.fix(3)
    assert verdicts(session) == ["accepted", "", "fixed"]
    assert str(session.progress) == "2 of 3 reviewed"


def test_rejected_object_loses_its_pixels_and_keeps_its_row(session, labels):
    session.reject(2)
    assert not (labels == 2).any()
    row = session.table.loc[1]
    assert (row["verdict"], row["area"], row["bbox_x1"]) == ("rejected", 0, 10)
    assert str(session.progress) == "1 of 3 reviewed"


def test_merge_joins_pixels_under_the_first_label(session, labels):
    session.merge(2, 3)
    assert (labels == 2).sum() == 128
    assert verdicts(session) == ["", "fixed", "merged"]
    assert session.table.loc[1, ["area", "bbox_x0", "bbox_x1"]].tolist() == [128, 2, 18]
    assert str(session.progress) == "1 of 2 reviewed"


def test_split_cuts_along_the_line_and_loses_no_pixel(session, labels):
    session.split(2, np.array([[10.5, 4.5], [21.5, 4.5]]))
    assert (labels[12:20, 2:10] > 0).all()
    assert sorted(np.bincount(labels.ravel())[[2, 4]].tolist()) == [24, 40]
    assert session.table.loc[3, "class"] == "nucleus"
    assert np.isnan(session.table.loc[3, "confidence"])


def test_split_along_a_diagonal(session, labels):
    session.split(2, np.array([[11.0, 1.0], [21.0, 11.0]]))
    assert set(np.unique(labels[12:20, 2:10])) == {2, 4}


def test_line_beside_an_object_does_not_split_it(session, labels):
    before = labels.copy()
    with pytest.raises(ValueError, match=r"draw it right across"):
        session.split(2, np.array([[14.0, 4.0], [16.0, 4.0]]))
    assert np.array_equal(labels, before)
    assert not session.can_undo


def test_added_object_takes_free_pixels_only(session, labels):
    label = session.add(Rectangle(15, 15, 25, 25), np.ones((10, 10), bool))
    assert label == 4
    assert (labels == 3).sum() == 64
    assert session.table.loc[3, "area"] == 100 - 15
    assert verdicts(session)[3] == "fixed"


def test_added_object_needs_free_pixels(session):
    with pytest.raises(ValueError, match="choose a free place"):
        session.add(Rectangle(14, 4, 16, 6), np.ones((2, 2), bool))


def test_painting_over_an_object_measures_both(session, labels):
    labels[12:20, 10:12] = 2
    assert session.painted() == 2
    assert session.table["area"].tolist() == [64, 80, 48]
    assert verdicts(session) == ["", "fixed", ""]
    assert session.protected.tolist() == [2, 3]


def test_new_number_becomes_the_next_free_one(session, labels):
    session.reject(3)
    labels[30:34, 30:34] = 3
    assert session.painted() == 4
    assert (labels[30:34, 30:34] == 4).all()
    assert verdicts(session) == ["", "", "rejected", "fixed"]


def test_erasing_all_of_an_object_rejects_it(session, labels):
    labels[labels == 1] = 0
    session.painted()
    assert verdicts(session)[0] == "rejected"


def test_accepting_what_was_mended_keeps_it_fixed(session, labels):
    session.fix(1)
    session.accept(1)
    assert verdicts(session)[0] == "accepted"
    labels[8, 2:10] = 1
    session.painted()
    session.accept(1)
    assert verdicts(session)[0] == "fixed"


def test_verdicts_do_not_look_through_all_steps_so_far(session, labels, monkeypatch):
    asked, touched = [], Patch.touched.fget

    def ask(patch: Patch) -> tuple[int, ...]:
        asked.append(patch)
        return touched(patch)

    monkeypatch.setattr(Patch, "touched", property(ask))
    session.reject(1)
    session.merge(2, 3)
    asked.clear()
    session.accept(2)
    assert verdicts(session)[1] == "fixed"
    assert session.protected.tolist() == [1, 2, 3]
    assert not asked, "else each key takes longer than the one before"
    for expected in ([1, 2, 3], [1], []):
        session.undo()
        assert session.protected.tolist() == expected
    session.redo()
    assert session.protected.tolist() == [1]


def test_every_step_can_be_undone_and_made_again(session, labels):
    start, table = labels.copy(), session.table.copy()
    session.accept(1)
    session.merge(2, 3)
    session.split(2, np.array([[10.0, 6.0], [22.0, 6.0]]))
    session.add(TOP_RIGHT, np.ones((10, 10), bool))
    labels[30:35, 30:35] = 99
    session.painted()
    session.delete(1)
    session.mark_done([TOP_RIGHT])
    session.set_complete(True)
    end, end_table, marks = labels.copy(), session.table.copy(), session.marks
    while session.undo():
        pass
    assert np.array_equal(labels, start)
    assert session.table.equals(table)
    while session.redo():
        pass
    assert np.array_equal(labels, end)
    assert session.table.equals(end_table)
    assert session.marks == marks


def test_new_step_ends_what_could_be_redone(session):
    session.accept(1)
    session.undo()
    session.accept(2)
    assert not session.can_redo


@pytest.mark.parametrize("label", [0, 4, 2])
def test_object_without_pixels_is_refused(session, label):
    session.reject(2)
    with pytest.raises(ValueError, match=f"Object {label} has no pixels"):
        session.accept(label)


def test_plain_labels_get_a_table(labels):
    session = ReviewSession(labels, None)
    assert session.table["area"].tolist() == [64, 64, 64]
    assert session.table["touches_border"].tolist() == [True, False, False]
    assert session.table["confidence"].isna().all()


def test_numbers_without_an_object_are_not_counted(labels):
    labels[labels == 3] = 9
    session = ReviewSession(labels, None)
    assert len(session.table) == 9
    assert str(session.progress) == "0 of 3 reviewed"


def test_stack_is_reviewed_plane_by_plane(labels, table):
    stack = np.stack([labels, np.where(labels > 0, labels + 3, 0)])
    session = ReviewSession(stack, None)
    assert session.table["z"].tolist() == [0, 0, 0, 1, 1, 1]
    session.split(5, np.array([[10.0, 6.0], [22.0, 6.0]]), plane=(1,))
    session.reject(6)
    assert np.array_equal(stack[0], labels)
    assert session.plane_of(7) == (1,)
    assert session.reviewed_area((0,)).sum() == 0
    assert session.reviewed_area((1,)).sum() > 100


def test_planes_keep_the_names_of_the_table(labels, table):
    film = np.stack([np.zeros_like(labels), labels])[:, None]
    session = ReviewSession(film, table.assign(t=1))
    assert session.plane_of(2) == (1, 0)
    assert "z" not in session.table
    session.reject(2)
    assert not (film == 2).any()


def test_axes_are_in_the_order_of_the_table(labels):
    # A stack of films: the slice first.
    stack = np.zeros((2, 3, *labels.shape), np.int32)
    stack[1, 2, 2:5, 2:5] = 1
    session = ReviewSession(stack, pd.DataFrame({"label": [1], "z": [1], "t": [2]}))
    assert session.plane_of(1) == (1, 2)
    assert session.table.loc[0, ["z", "t"]].tolist() == [1, 2]


def test_object_through_several_planes_is_rejected_in_all(labels):
    stack = np.stack([labels, labels])
    session = ReviewSession(stack, None)
    session.reject(1)
    assert not (stack == 1).any()
    session.undo()
    assert np.array_equal(stack[0], stack[1])


def test_lazy_labels_are_refused(labels):
    with pytest.raises(ValueError, match="in memory"):
        ReviewSession(labels.tolist(), None)


# ------------------------------------------------------- changes from outside


def test_live_threshold_keeps_verdicts_and_undo(session, labels):
    session.reject(1)
    labels[labels == 3] = 0
    labels[30:36, 30:36] = 4
    table = session.table.reindex(range(4))
    table.loc[3, ["class", "class_id", "confidence"]] = ["nucleus", 1, 0.2]
    assert session.adopt(table)
    assert session.table["area"].tolist() == [0, 64, 0, 36]
    assert verdicts(session) == ["rejected", "", "", ""]
    session.undo()
    assert (labels == 1).sum() == 64


def test_many_changes_from_outside_are_written_a_column_at_a_time(session, monkeypatch):
    def refuse(*_: object) -> None:
        raise AssertionError("cell by cell takes half a minute in a large image")

    monkeypatch.setattr("pandas.core.indexing._AtIndexer.__setitem__", refuse)
    table = session.table.assign(quality=[0.5, np.nan, 0.25], kind=["a", "", "b"])
    table["class_id"] = np.array([2, 3, 1], np.int32)
    assert session.adopt(table)
    assert session.table["quality"].tolist() == pytest.approx(
        [0.5, np.nan, 0.25], nan_ok=True
    )
    assert session.table["class_id"].tolist() == [2, 3, 1]
    assert session.table["kind"].fillna("").tolist() == ["a", "", "b"]


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        (np.int32, [5, 6]),
        (np.int64, [5, None]),
        (np.float32, [0.1, None]),
        (np.bool_, [True, False]),
        (object, ["a", None]),
        (object, [1, 0.5]),
    ],
)
def test_values_written_together_are_as_written_one_by_one(labels, kind, changes):
    table = pd.DataFrame({"mine": np.zeros(3).astype(kind)})
    both = [ReviewSession(labels, table) for _ in range(2)]
    cells = [(i, "mine", value) for i, value in enumerate(changes, 2)]
    both[0].replay([StoredStep(cells=cells)])
    both[1].replay([StoredStep(cells=[cell]) for cell in cells])
    pd.testing.assert_frame_equal(both[0].table, both[1].table)


def test_fractions_survive_in_a_column_of_whole_numbers(labels):
    session = ReviewSession(labels, pd.DataFrame({"mine": [1, 2, 3]}))
    session.replay([StoredStep(cells=[(1, "mine", 0.5), (2, "mine", 4)])])
    assert session.table["mine"].tolist() == [0.5, 4, 3]


def test_undo_leaves_what_was_painted_since(session, labels):
    session.reject(1)
    labels[0:4, 2:10] = 4
    session.adopt()
    session.undo()
    assert (labels == 1).sum() == 32


def test_new_numbers_carry_their_verdicts(session, labels):
    session.accept(3)
    labels[labels == 2] = 0
    labels[labels == 3] = 2
    session.adopt(session.table.drop(index=1))
    assert verdicts(session) == ["", "accepted"]
    assert not session.can_undo


def test_nothing_new_is_no_step(session):
    session.accept(1)
    assert not session.adopt()
    assert session.painted() is None
