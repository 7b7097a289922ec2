"""The curves of losses, without a training."""

from __future__ import annotations

import numpy as np
import pytest

from napari_pffnet._qt.loss_plot import LossPlot
from napari_pffnet.messages import LossStep


@pytest.fixture
def plot(qtbot):
    made = LossPlot()
    qtbot.addWidget(made)
    return made


def add(plot, totals):
    for number, total in enumerate(totals, start=1):
        step = LossStep(
            step=number, steps=len(totals), losses={"mask": total / 2}, total=total,
            learning_rate=0.1, seconds=1.0,
        )  # fmt: skip
        plot.add(step)


def running_means(totals):
    weights = 0.9 ** np.arange(len(totals))
    return [
        np.average(totals[: n + 1][::-1], weights=weights[: n + 1])
        for n in range(len(totals))
    ]


def test_each_step_of_a_short_run_is_drawn_smoothed(plot):
    totals = [4.0, 1.0, 3.0, 2.0]
    add(plot, totals)
    assert plot.names() == ["total", "mask"]
    np.testing.assert_allclose(plot.values("total"), running_means(totals))
    np.testing.assert_allclose(plot.values("mask"), np.divide(running_means(totals), 2))


def test_a_long_run_is_drawn_with_few_points_to_its_end(plot):
    totals = np.random.default_rng(0).random(3000)
    add(plot, totals)
    # A thousand points become half of them twice: every fourth step is left.
    np.testing.assert_allclose(plot.values("total"), running_means(totals)[3::4])


def test_the_next_run_begins_anew(plot):
    add(plot, np.ones(1500))
    plot.clear()
    assert plot.names() == []
    add(plot, [2.0])
    assert plot.values("total") == [2.0]
