"""The network of this package behind the same seam, with random weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_pffnet.build import build_network
from napari_pffnet.config import SMALL, CheckpointInfo, ModelConfig
from napari_pffnet.pffnet.norms import ImageNorm
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


def test_all_tiles_use_the_statistics_of_the_whole_image():
    torch.manual_seed(0)
    few = {"candidate_score": 0.0, "rpn_post_nms_test": 20, "max_detections": 20}
    config = ModelConfig(**SMALL | few)
    network = build_network(config).eval()
    model = Model(network, CheckpointInfo(model=config), torch.device("cpu"))
    used = []
    norm = next(m for m in network.modules() if isinstance(m, ImageNorm))
    norm.register_forward_pre_hook(lambda module, _: used.append(module.held))
    image = np.random.default_rng(0).integers(0, 4000, (200, 330), dtype=np.uint16)
    image[:100] //= 4
    options = {"score_threshold": 0.0, "all_tiles": True, "diameter": 30}
    segment(image, model, tile=0, **options)
    assert used == [None]
    used.clear()
    result = segment(image, model, tile=160, **options)
    first, *tiles = used
    # The first pass measures; the window of 512 pixels holds the whole image.
    assert first is None
    assert result.record.tile == 160
    assert len(tiles) > 1
    assert all(held is tiles[0] is not None for held in tiles)
