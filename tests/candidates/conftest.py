from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from napari_pffnet.candidates import PlaneCandidates
from napari_pffnet.instances import Instances


def squares(*places, shape=(40, 60)) -> Instances:
    """Return candidates, each given by y, x, side, score and quality."""
    found = [Instances.empty(shape)]
    for y, x, side, score, quality in places:
        mask = np.zeros(shape, np.int32)
        mask[y : y + side, x : x + side] = 1
        found.append(Instances.from_labels(mask, [1], [score], [quality]))
    return Instances.concat(found)


def candidates_of(*planes, leading=(), axes="", **other) -> PlaneCandidates:
    facts = {"classes": ("nucleus",), "covered": 0.7, "score_threshold": 0.5}
    return PlaneCandidates(planes, leading, axes, **(facts | other))


@pytest.fixture
def crowd() -> PlaneCandidates:
    """Two planes of random squares, many of which overlap."""
    rng = np.random.default_rng(0)
    places = np.column_stack(
        [
            rng.integers(0, 32, 120),
            rng.integers(0, 52, 120),
            rng.integers(3, 12, 120),
            rng.uniform(0.05, 1, 120),
            rng.uniform(0, 1, 120),
        ]
    )
    planes = [
        squares(*((int(y), int(x), int(side), s, q) for y, x, side, s, q in part))
        for part in (places[i:j] for i, j in pairwise([0, 50, 120]))
    ]
    return candidates_of(*planes, leading=(2,), axes="Z")
