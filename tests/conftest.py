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


# Software OpenGL and the compiler in torch clash: a process that has drawn a window
# crashes when it loads torch.  test_window.py runs these tests in processes of their
# own, under each Qt binding; by hand: pytest tests/_qt
collect_ignore = ["_qt"]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real annotated images beside the checkout."""
    folder = Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real images: {folder} is missing")
    return folder


def make_tiny_config() -> ModelConfig:
    """Return the whole PFFNet, as narrow as it gets."""
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


def make_tiny_model() -> Model:
    """Return an untrained model on the CPU: it finds nothing sensible, but it runs."""
    import torch

    from napari_pffnet.build import build_network
    from napari_pffnet.weights import Model

    torch.manual_seed(0)
    config = make_tiny_config()
    network = build_network(config).eval()
    info = CheckpointInfo(name="tiny", model=config)
    return Model(network, info, torch.device("cpu"))


@pytest.fixture(scope="session")
def tiny_config() -> ModelConfig:
    """The configuration of the tiny model."""
    return make_tiny_config()


@pytest.fixture(scope="session")
def tiny_model() -> Model:
    """A tiny model that is shared by all tests."""
    return make_tiny_model()


@pytest.fixture(scope="session")
def tiny_checkpoint(
    tiny_model: Model, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The untrained model as a file."""
    from napari_pffnet.weights import save_checkpoint

    path = tmp_path_factory.mktemp("models") / "tiny.safetensors"
    save_checkpoint(path, tiny_model.network, tiny_model.info)
    return path


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    """A tiny image with three bright discs, as a file."""
    import imageio.v3 as iio
    import numpy as np

    path = tmp_path / "cells.png"
    y, x = np.mgrid[:64, :64]
    image = np.full((64, 64), 20, np.uint8)
    for cy, cx in ((16, 16), (40, 20), (34, 48)):
        image[(y - cy) ** 2 + (x - cx) ** 2 < 64] = 200
    iio.imwrite(path, image)
    return path
