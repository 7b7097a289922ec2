from __future__ import annotations

import pytest

from napari_pffnet.review import (
    Filters,
    ReviewSession,
    default_column,
    in_order,
    passes,
    sortable_columns,
)


@pytest.fixture
def session(labels, table) -> ReviewSession:
    return ReviewSession(labels, table)


def test_worst_come_first_and_unknown_ones_last(session, labels):
    labels[30:34, 30:34] = 4
    session.painted()
    assert in_order(session.table, "confidence").tolist() == [2, 3, 1, 4]


def test_any_column_either_way(session):
    ordered = in_order(session.table, "bbox_x0", ascending=False)
    assert ordered.tolist() == [3, 1, 2]


def test_unknown_column_is_named(session):
    with pytest.raises(
        ValueError, match=r"no column 'colour'; use one of .*confidence"
    ):
        in_order(session.table, "colour")


def test_columns_that_tell_nothing_are_not_offered(session):
    names = sortable_columns(session.table)
    assert "confidence" in names
    assert "quality" not in names
    assert "label" not in names


def test_without_scores_the_smallest_come_first(labels):
    assert default_column(ReviewSession(labels, None).table) == "area"


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (Filters(), [2, 3]),
        (Filters(unreviewed=False), [1, 2, 3]),
        (Filters(unreviewed=False, border=True), [1]),
        (Filters(border=False, quality_below=1.5), [2, 3]),
        (Filters(unreviewed=False, class_name="cell"), []),
        (Filters(quality_below=0.5), []),
    ],
)
def test_filters(session, filters, expected):
    session.reject(1)
    passing = session.table.loc[passes(session.table, filters), "label"]
    assert passing.tolist() == expected
