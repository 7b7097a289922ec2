"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from napari_pffnet.config import CheckpointInfo, ModelConfig

if TYPE_CHECKING:
    from napari_pffnet.weights import Model

# Before torch is loaded: tiny tensors are fastest on one thread, and so tests
# that run beside each other do not fight for the cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")

# Before pytest-qt chooses: it and qtpy would take different bindings by themselves.
os.environ.setdefault("QT_API", "pyside6")
os.environ["PYTEST_QT_API"] = os.environ["QT_API"]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real annotated images beside the checkout."""
    folder = Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real images: {folder} is missing")
    return folder


@pytest.fixture(scope="session")
def tiny_config() -> ModelConfig:
    """The whole PFFNet, as narrow as it gets."""
    return ModelConfig(
        backbone="resnet18",
        fpn_channels=16,
        box_hidden=16,
        mask_channels=16,
        mask_fc_channels=4,
        quality_channels=16,
        quality_hidden=16,
        semantic_channels=8,
        fusion_channels=8,
        rpn_pre_nms_train=100,
        rpn_pre_nms_test=100,
        rpn_post_nms_train=50,
        rpn_post_nms_test=50,
        rois_per_image=32,
        max_detections=50,
    )


@pytest.fixture(scope="session")
def tiny_model(tiny_config: ModelConfig) -> Model:
    """An untrained model on the CPU: it finds nothing sensible, but it runs."""
    import torch

    from napari_pffnet.build import build_network
    from napari_pffnet.weights import Model

    torch.manual_seed(0)
    network = build_network(tiny_config).eval()
    info = CheckpointInfo(name="tiny", model=tiny_config)
    return Model(network, info, torch.device("cpu"))


@pytest.fixture(scope="session")
def tiny_checkpoint(
    tiny_model: Model, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The untrained model as a file."""
    from napari_pffnet.weights import save_checkpoint

    path = tmp_path_factory.mktemp("models") / "tiny.safetensors"
    save_checkpoint(path, tiny_model.network, tiny_model.info)
    return path
