import os

import pytest

from napari_pffnet.worker.models import KeptModel


@pytest.fixture
def checkpoint(tiny_checkpoint, tmp_path):
    path = tmp_path / "own.safetensors"
    path.write_bytes(tiny_checkpoint.read_bytes())
    return path


def test_the_model_stays_loaded_until_another_is_asked_for(checkpoint, tiny_checkpoint):
    kept = KeptModel()
    first = kept.get(str(checkpoint), "cpu")
    assert (
        kept.get(str(checkpoint), "auto" if first.device.type == "cpu" else "cpu")
        is first
    )
    assert kept.get(str(tiny_checkpoint), "cpu") is not first
    assert kept.get(str(checkpoint), "cpu") is not first


def test_a_checkpoint_that_was_changed_is_loaded_anew(checkpoint):
    kept = KeptModel()
    first = kept.get(str(checkpoint), "cpu")
    later = checkpoint.stat().st_mtime_ns + 1_000_000
    os.utime(checkpoint, ns=(later, later))
    assert kept.get(str(checkpoint), "cpu") is not first


def test_a_dropped_model_is_loaded_anew(checkpoint):
    kept = KeptModel()
    first = kept.get(str(checkpoint), "cpu")
    kept.drop()
    assert kept.get(str(checkpoint), "cpu") is not first
