"""Objects to review."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_pffnet.instances import Instances

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

CONFIDENCES = (0.9, 0.3, 0.6)


@pytest.fixture
def labels() -> NDArray[np.int32]:
    """Three squares of 8 px; 2 and 3 touch, 1 lies at the border."""
    image = np.zeros((40, 40), np.int32)
    image[0:8, 2:10] = 1
    image[12:20, 2:10] = 2
    image[12:20, 10:18] = 3
    return image


@pytest.fixture
def table(labels: NDArray[Any]) -> pd.DataFrame:
    """Their table, as a segmentation makes it."""
    found = Instances.from_labels(labels, scores=CONFIDENCES, qualities=np.ones(3))
    return found.to_table(labels, np.arange(3), ["nucleus"])
