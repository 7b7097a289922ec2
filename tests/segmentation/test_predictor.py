from __future__ import annotations

import pytest
import torch

from napari_pffnet.segmentation.predictor import choose_dtype
from napari_pffnet.training.precision import choose_arithmetic


@pytest.mark.parametrize(
    ("device", "capability", "dtype"),
    [
        ("cuda", (9, 0), torch.bfloat16),
        ("cuda", (8, 0), torch.bfloat16),
        ("cuda", (7, 5), torch.float16),
        ("cpu", None, torch.float32),
        ("mps", None, torch.float32),
    ],
)
def test_auto_is_what_the_device_computes_fast(monkeypatch, device, capability, dtype):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    assert choose_dtype("auto", torch.device(device)) == dtype
    assert choose_arithmetic("auto", torch.device(device)).dtype == dtype


def test_what_is_named_is_taken():
    assert choose_dtype("bfloat16", torch.device("cpu")) == torch.bfloat16
    assert choose_dtype("float32", torch.device("cuda")) == torch.float32
