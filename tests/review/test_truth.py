from __future__ import annotations

import numpy as np
import pytest

from napari_pffnet.review import ReviewSession, compare_with_truth


def test_estimates_are_set_beside_the_truth(labels, table):
    truth = np.where(labels == 2, 0, labels)
    table["quality"] = [0.9, 0.2, 0.7]
    trust = compare_with_truth(labels, table, truth)
    assert trust.true_ious.tolist() == [1, 0, 1]
    assert trust.estimates.tolist() == pytest.approx([0.9, 0.2, 0.7])
    assert trust.bad == 1
    assert trust.auroc_bad == 1
    assert trust.worst[0].share == 1


def test_confidence_stands_in_where_there_is_no_quality(labels, table):
    table["quality"] = np.nan
    assert compare_with_truth(labels, table, labels).column == "confidence"


def test_objects_without_estimates_are_left_out(labels, table):
    session = ReviewSession(labels, table)
    labels[30:34, 30:34] = 4
    session.painted()
    trust = compare_with_truth(labels, session.table, labels)
    assert trust.labels.tolist() == [1, 2, 3]


def test_plain_labels_have_nothing_to_compare(labels):
    table = ReviewSession(labels, None).table
    with pytest.raises(ValueError, match="no quality or confidence"):
        compare_with_truth(labels, table, labels)
