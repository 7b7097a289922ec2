"""The network of this package behind the same seam, with random weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_pffnet.build import build_network
from napari_pffnet.config import SMALL, CheckpointInfo, ModelConfig
from napari_pffnet.segmentation import segment
from napari_pffnet.weights import Model


@pytest.mark.parametrize("variant", ["pffnet", "maskrcnn"])
def test_random_weights_give_a_valid_result_twice_the_same(variant):
    torch.manual_seed(0)
    # Random weights are sure of nothing: take what they find.
    few = {"candidate_score": 0.0, "rpn_post_nms_test": 20, "max_detections": 20}
    config = ModelConfig(**{**SMALL, **few, "variant": variant})
    info = CheckpointInfo(model=config, tile_size=64)
    model = Model(build_network(config).eval(), info, torch.device("cpu"))
    image = np.random.default_rng(0).integers(0, 4000, (70, 100), dtype=np.uint16)
    # Such noise would be taken for background.
    options = {"score_threshold": 0.0, "all_tiles": True}
    first, second = (segment(image, model, **options) for _ in range(2))
    assert first.labels.shape == first.semantic.shape == (70, 100)
    assert len(first.objects) == first.labels.max() > 0
    assert first.objects["quality"].isna().all() == (variant == "maskrcnn")
    np.testing.assert_array_equal(first.labels, second.labels)
    assert first.objects.equals(second.objects)
