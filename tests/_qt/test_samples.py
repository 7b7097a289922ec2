from __future__ import annotations

import numpy as np
import pytest

from napari_pffnet.sample_data import load_sample


@pytest.mark.parametrize("name", ["fluorescence", "histology"])
def test_a_sample_opens_with_its_true_labels_below_it(viewer, name):
    viewer.open_sample("napari-pffnet", name)
    truth, image = viewer.layers
    assert (image.name, truth.name) == (name, f"{name} true labels")
    assert image.visible
    assert not truth.visible
    np.testing.assert_array_equal(truth.data, load_sample(name).labels)
    assert image.rgb == (name == "histology")
