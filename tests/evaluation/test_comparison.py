import json
import math
from dataclasses import replace

import numpy as np
import pytest

from napari_pffnet import evaluation as ev

BASE = ev.evaluate_image(np.array([[1, 0]]), np.array([[1, 0]]))


def report(values, *, metric="pq", names="abcdefgh"):
    """Return a report with these values of one metric."""
    return ev.Report(
        tuple(
            replace(BASE, name=name, **{metric: value})
            for name, value in zip(names, values, strict=False)
        )
    )


def find(comparison, metric, second="new"):
    (test,) = (t for t in comparison.tests if (t.metric, t.second) == (metric, second))
    return test


def test_the_t_of_four_images_by_hand():
    comparison = ev.compare(
        {"old": report([0.5, 0.6, 0.7, 0.8]), "new": report([0.6, 0.8, 0.8, 0.8])}
    )
    test = find(comparison, "pq")
    # Differences 0.1, 0.2, 0.1, 0: mean 0.1, deviation sqrt(0.02 / 3).
    assert test.n_images == 4
    assert test.mean_difference == pytest.approx(0.1)
    t = 0.1 / math.sqrt(0.02 / 3 / 4)
    assert test.t == pytest.approx(t)
    # Two-sided p of Student's t with 3 degrees of freedom, in closed form.
    angle = math.atan(t / math.sqrt(3))
    p = 1 - 2 / math.pi * (angle + math.sin(angle) * math.cos(angle))
    assert test.p == pytest.approx(p)


def test_images_are_paired_by_name_and_only_those_of_both_count():
    old = report([0.5, 0.6, 0.7], names="abc")
    new = report([0.9, 0.7, 0.3], names="cbx")
    test = find(ev.compare({"old": old, "new": new}), "pq")
    assert test.n_images == 2
    assert test.mean_difference == pytest.approx((0.1 + 0.2) / 2)


def test_an_image_without_the_metric_is_left_out():
    old = report([1.0, 2.0, None], metric="object_hausdorff")
    new = report([1.5, None, 3.0], metric="object_hausdorff")
    test = find(ev.compare({"old": old, "new": new}), "object_hausdorff")
    assert (test.n_images, test.mean_difference) == (1, 0.5)
    assert math.isnan(test.p)


@pytest.mark.parametrize("shift", [0, 0.1])
def test_where_all_differences_are_equal_nothing_is_tested(shift):
    old = np.array([0.1, 0.5, 0.7])
    comparison = ev.compare({"old": report(old), "new": report(old + shift)})
    test = find(comparison, "pq")
    assert math.isnan(test.t)
    assert math.isnan(test.p)
    told = json.dumps(comparison.to_dict(), allow_nan=False)
    assert '"p": null' in told


def test_every_two_are_compared():
    reports = {name: report([0.1, 0.5, 0.6]) for name in "xyz"}
    tests = ev.compare(reports).tests
    pairs = [(t.first, t.second) for t in tests if t.metric == "aji"]
    assert pairs == [("x", "y"), ("x", "z"), ("y", "z")]
    assert {t.metric for t in tests} <= set(ev.METRICS)
    # No classes are known.
    assert not any(t.metric == "mpq" for t in tests)
