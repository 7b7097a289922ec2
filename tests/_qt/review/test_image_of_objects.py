"""Which image the Review widget takes objects to lie in."""

from __future__ import annotations

import numpy as np
import pytest

from .conftest import open_widget


@pytest.mark.parametrize("order", [("cell10", "cell1"), ("cell1", "cell10")])
def test_the_longest_name_tells_the_image(viewer, layer, order):
    for name in order:
        viewer.add_image(np.zeros((70, 100), np.uint8), name=name)
    layer.name = "cell10 instances"
    widget = open_widget(viewer)
    widget.layer.setValue(layer)
    assert widget.image.value() is viewer.layers["cell10"]
