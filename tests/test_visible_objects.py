from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_pffnet.instances import Instances, VisibleObjects

SHAPE = (40, 50)


def random_candidates(seed: int, count: int) -> Instances:
    """Return ellipses of all sizes that overlap each other and the edge."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    parts = []
    for _ in range(count):
        cy, cx = rng.uniform(0, SHAPE[0]), rng.uniform(0, SHAPE[1])
        ry, rx = rng.uniform(1, 12, 2)
        mask = ((y - cy) / ry) ** 2 + ((x - cx) / rx) ** 2 < 1
        if mask.any():
            scores, qualities = rng.uniform(size=(2, 1))
            labels = mask.astype(np.int32)
            parts.append(Instances.from_labels(labels, [1], scores, qualities))
    return Instances.concat([Instances.empty(SHAPE), *parts])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 25), st.sampled_from([0.2, 0.4, 0.7, 1.0]))
def test_they_are_what_painting_gives(seed, count, covered):
    found = random_candidates(seed, count)
    painted = found.paint(score_threshold=0.3, covered=covered)
    visible = VisibleObjects.of(found, score_threshold=0.3, covered=covered)
    np.testing.assert_array_equal(visible.index, painted.index)
    whole = visible.paint(slice(0, 40), slice(0, 50))
    np.testing.assert_array_equal(whole, painted.labels)
    table = found.to_table(painted.labels, painted.index, ["cell"], 0.5)
    pd.testing.assert_frame_equal(
        visible.table(["cell"], 0.5), table, check_dtype=False
    )


def test_a_part_is_cut_from_the_whole():
    visible = VisibleObjects.of(random_candidates(3, 30), score_threshold=0.1)
    whole = visible.paint(slice(0, 40), slice(0, 50))
    assert whole.max() > 5
    for rows, columns in ((slice(5, 20), slice(10, 11)), (slice(0, 40), slice(30, 50))):
        np.testing.assert_array_equal(
            visible.paint(rows, columns), whole[rows, columns]
        )
