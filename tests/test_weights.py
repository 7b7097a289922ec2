import pickle
import shutil

import pytest
import torch
from safetensors.torch import save_file

from napari_pffnet.catalog import find_model, list_models, read_info
from napari_pffnet.files import hash_file
from napari_pffnet.weights import (
    hash_tensors,
    load_model,
    resolve_device,
    save_checkpoint,
)


def test_a_saved_model_loads_with_the_same_weights_and_description(
    tiny_model, tiny_checkpoint
):
    model = load_model(tiny_checkpoint, device="cpu")
    saved = tiny_model.network.state_dict()
    for name, tensor in model.network.state_dict().items():
        assert torch.equal(tensor, saved[name]), name
    assert not model.network.training
    assert model.info.name == "tiny"
    assert model.info.model == tiny_model.info.model
    assert torch.__version__.startswith(model.info.versions["torch"])
    assert read_info(tiny_checkpoint) == model.info
    assert model.sha256 == hash_tensors(saved)


def test_float16_halves_the_file_and_is_float32_in_memory(
    tiny_model, tiny_checkpoint, tmp_path
):
    path = tmp_path / "half.safetensors"
    save_checkpoint(path, tiny_model.network, tiny_model.info, dtype="float16")
    assert path.stat().st_size < 0.55 * tiny_checkpoint.stat().st_size
    model = load_model(path, device="cpu")
    for tensor, saved in zip(
        model.network.parameters(), tiny_model.network.parameters(), strict=True
    ):
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor, saved.half().float())


def test_the_hash_sees_names_types_shapes_and_bytes_but_not_the_order():
    one, two = torch.tensor([1.0, 2.0]), torch.tensor([3])
    known = hash_tensors({"a": one, "b": two})
    assert known == hash_tensors({"b": two, "a": one})
    others = [
        {"a": one, "c": two},
        {"a": one.view(torch.int32), "b": two},
        {"a": one[None], "b": two},
        {"a": -one, "b": two},
    ]
    assert known not in [hash_tensors(other) for other in others]


def test_one_flipped_bit_is_noticed(tiny_checkpoint, tmp_path):
    path = tmp_path / "flipped.safetensors"
    content = bytearray(tiny_checkpoint.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="sha256"):
        load_model(path)


def flip_last_bit(checkpoint, path, *, of: bytes):
    """Write a checkpoint with another last bit of some words of its description."""
    content = checkpoint.read_bytes()
    assert content.count(of) == 1
    path.write_bytes(content.replace(of, of[:-1] + bytes([of[-1] ^ 1])))
    return path


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (b"variant", "no valid description"),
        (b'box_hidden\\":16', "does not fit the network"),
    ],
)
def test_one_flipped_bit_that_makes_a_description_wrong_is_noticed(
    words, said, tiny_checkpoint, tmp_path
):
    path = flip_last_bit(tiny_checkpoint, tmp_path / "x.safetensors", of=words)
    with pytest.raises(ValueError, match=said):
        load_model(path)


def test_the_hash_is_of_the_weights_and_not_of_the_description(
    tiny_checkpoint, tmp_path
):
    words = b'name\\":\\"tiny'
    path = flip_last_bit(tiny_checkpoint, tmp_path / "x.safetensors", of=words)
    assert load_model(path).info.name == "tinx"
    assert hash_file(path) != hash_file(tiny_checkpoint)


def test_files_that_are_no_checkpoints_are_refused(tiny_checkpoint, tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(pickle.dumps({"weights": [1, 2]}))
    with pytest.raises(ValueError, match="never loaded"):
        load_model(path)
    path.write_bytes(tiny_checkpoint.read_bytes()[:-1000])
    with pytest.raises(ValueError, match="damaged"):
        load_model(path)
    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(ValueError, match="not written by napari-pffnet"):
        load_model(path)


def test_a_newer_format_says_to_update(tmp_path):
    path = tmp_path / "future.safetensors"
    header = {"format": "napari-pffnet", "format_version": "2"}
    save_file({"a": torch.zeros(1)}, path, header)
    with pytest.raises(ValueError, match="update napari-pffnet"):
        read_info(path)


def test_weights_that_do_not_fit_their_description_are_refused(tiny_model, tmp_path):
    path = tmp_path / "wrong.safetensors"
    wider = tiny_model.info.model.model_copy(update={"box_hidden": 24})
    info = tiny_model.info.model_copy(update={"model": wider})
    save_checkpoint(path, tiny_model.network, info)
    with pytest.raises(ValueError, match="does not fit"):
        load_model(path)


@pytest.mark.parametrize("width", [10**9, 10**12, 2**63])
def test_no_memory_is_taken_for_a_network_that_the_weights_do_not_fit(
    width, tiny_model, tmp_path
):
    path = tmp_path / "wide.safetensors"
    wider = tiny_model.info.model.model_copy(update={"box_hidden": width})
    info = tiny_model.info.model_copy(update={"model": wider})
    save_checkpoint(path, torch.nn.Linear(2, 2), info)
    with pytest.raises(ValueError, match="does not fit the network"):
        load_model(path)


def test_user_models_are_found_by_name(tiny_checkpoint, tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_PFFNET_HOME", str(tmp_path))
    shutil.copy(tiny_checkpoint, tmp_path / "mycells.safetensors")
    assert ("mycells", "user") in [(m.name, m.source) for m in list_models()]
    assert find_model("mycells") == tmp_path / "mycells.safetensors"
    with pytest.raises(ValueError, match=r"'yourcells'.*mycells"):
        load_model("yourcells")
    with pytest.raises(FileNotFoundError, match="gone"):
        load_model(tmp_path / "gone.safetensors")


def test_a_write_that_fails_leaves_the_old_file_and_no_other(
    tiny_model, tmp_path, monkeypatch
):
    path = tmp_path / "m.safetensors"
    path.write_bytes(b"old")

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        save_checkpoint(path, tiny_model.network, tiny_model.info)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_devices_that_are_not_here_are_named():
    assert resolve_device("cpu") == torch.device("cpu")
    assert resolve_device("auto").type in ("cpu", "cuda", "mps")
    with pytest.raises(ValueError, match="'gpu' is unknown"):
        resolve_device("gpu")
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="'cuda' is not available"):
            resolve_device("cuda")


def test_on_a_cpu_convolutions_find_their_weights_in_order(tiny_checkpoint):
    network = load_model(tiny_checkpoint, device="cpu").network
    weights = [p for p in network.parameters() if p.dim() == 4]
    assert weights
    assert all(w.is_contiguous(memory_format=torch.channels_last) for w in weights)
