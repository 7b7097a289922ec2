"""Checkpoints: one safetensors file that says what it is.

The metadata carries the format version, a sha256 over the tensors and the
:class:`~napari_pffnet.config.CheckpointInfo` as JSON.  Nothing is pickled, and
nothing is read that could run code.
"""

from __future__ import annotations

import hashlib
import platform
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from napari_pffnet.build import build_network
from napari_pffnet.catalog import FORMAT, FORMAT_VERSION, parse_info, read_metadata
from napari_pffnet.files import write_atomically
from napari_pffnet.registry import obtain

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from napari_pffnet.config import CheckpointInfo, ModelConfig


@dataclass(frozen=True, slots=True)
class Model:
    """A network with its weights, ready to segment on its device.

    Attributes
    ----------
    network
        In evaluation mode, on ``device``.
    info
        What the checkpoint says of itself.
    device
        Where the network runs.
    sha256
        Hash of the weights as the checkpoint states it; "" for a network that was
        not loaded from one.
    """

    network: nn.Module
    info: CheckpointInfo
    device: torch.device
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class TensorFile:
    """The content of a safetensors file of ours, checked against its hash."""

    tensors: dict[str, Tensor]
    metadata: dict[str, str]


def resolve_device(device: str = "auto") -> torch.device:
    """Return the device to run on.

    Parameters
    ----------
    device
        ``"auto"`` takes CUDA, else MPS, else the CPU; or ``"cpu"``, ``"cuda"``,
        ``"cuda:1"``, ``"mps"``.

    Raises
    ------
    ValueError
        If the device is unknown or this machine lacks it.
    """
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if device == "auto":
        return torch.device(next(kind for kind, found in available.items() if found))
    kind, _, index = device.partition(":")
    if kind not in available or (index and not index.isdigit()):
        raise ValueError(
            f"device {device!r} is unknown; use 'auto', 'cpu', 'cuda' or 'mps'."
        )
    if not available[kind]:
        raise ValueError(
            f"device {device!r} is not available on this machine; "
            "use device='auto' or 'cpu'."
        )
    if kind == "cuda" and index and int(index) >= torch.cuda.device_count():
        raise ValueError(
            f"device {device!r} does not exist; this machine has "
            f"{torch.cuda.device_count()} CUDA devices."
        )
    return torch.device(device)


def load_model(name_or_path: str | os.PathLike[str], *, device: str = "auto") -> Model:
    """Load a model by name (``"nuclei"``) or from a checkpoint.

    Parameters
    ----------
    name_or_path
        Name of a model, or the path of a checkpoint.  A model that the registry
        knows and this machine does not have is downloaded.
    device
        As in :func:`resolve_device`.

    Returns
    -------
    Model
        float32 weights, whatever the file stores, in evaluation mode.

    Raises
    ------
    ValueError
        If the name is unknown, the device absent, or the file damaged, of
        another program, or of a newer version of this one.
    FileNotFoundError
        If there is no file at the path.
    DownloadError
        If a registered model cannot be downloaded; an OSError.
    """
    target = resolve_device(device)
    path = obtain(name_or_path)
    content = read_tensors(path)
    info = parse_info(path, content.metadata)
    _check_fit(path, info.model, content.tensors)
    network = build_network(info.model)
    network.load_state_dict(content.tensors)
    sha256 = content.metadata["sha256"]
    return Model(place(network, target).eval(), info, target, sha256)


def _check_fit(path: Path, config: ModelConfig, tensors: Mapping[str, Tensor]) -> None:
    """Refuse tensors of another network, before memory is taken for that one."""
    shapes = {name: torch.empty_like(t, device="meta") for name, t in tensors.items()}
    try:
        with torch.device("meta"):
            network = build_network(config)
        network.load_state_dict(shapes)
    # A TypeError of numbers that are too large for a size.
    except (RuntimeError, TypeError) as error:
        raise ValueError(
            f"{path} does not fit the network that it describes; "
            "it was changed or written by a different version."
        ) from error


def place(network: nn.Module, device: torch.device) -> nn.Module:
    """Move a network to a device, its weights in the order that it wants them in.

    A CPU that is given others puts them in order anew at each call.
    """
    network = network.to(device)
    if device.type == "cpu":
        network = network.to(memory_format=torch.channels_last)
    return network


def save_checkpoint(
    path: str | os.PathLike[str],
    network: nn.Module,
    info: CheckpointInfo,
    *,
    dtype: Literal["float32", "float16"] = "float32",
) -> None:
    """Write a checkpoint in one piece: the old file stays until the new is whole.

    Parameters
    ----------
    path
        File to write, ``.safetensors``.
    network
        Its state is written; only floating-point tensors change their type.
    info
        Written as JSON, with the library versions of this process.
    dtype
        Type of the floating-point tensors in the file.
    """
    stored = torch.float16 if dtype == "float16" else torch.float32
    tensors = {
        name: tensor.to(stored) if tensor.is_floating_point() else tensor
        for name, tensor in network.state_dict().items()
    }
    described = info.model_copy(
        update={"format_version": FORMAT_VERSION, "versions": library_versions()}
    )
    write_tensors(path, tensors, {"info": described.model_dump_json()})


@cache
def library_versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that make a checkpoint."""
    names = ("napari-pffnet", "torch", "torchvision", "numpy", "safetensors")
    versions = {"python": platform.python_version()}
    for name in names:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:  # run from a source tree
            versions[name] = "unknown"
    return versions


def hash_tensors(tensors: Mapping[str, Tensor]) -> str:
    """Return the sha256 over names, types, shapes and bytes, in order of names."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def write_tensors(
    path: str | os.PathLike[str],
    tensors: Mapping[str, Tensor],
    metadata: Mapping[str, str],
) -> None:
    """Write a safetensors file of ours atomically, with its hash.

    Parameters
    ----------
    path
        File to write.
    tensors
        Of any device; copied to the CPU.
    metadata
        Further entries of the file's metadata.
    """
    # Cloned, because safetensors refuses tensors that share memory.
    plain = {n: t.detach().cpu().contiguous().clone() for n, t in tensors.items()}
    header = {
        "format": FORMAT,
        "format_version": str(FORMAT_VERSION),
        "sha256": hash_tensors(plain),
        **metadata,
    }
    write_atomically(Path(path), save(plain, header))


def read_tensors(path: Path) -> TensorFile:
    """Read a safetensors file of ours and check its hash.

    Raises
    ------
    ValueError
        If it is damaged, of another program or of a newer version.
    """
    metadata = read_metadata(path)
    try:
        with safe_open(path, framework="pt") as file:
            names = file.keys()
            tensors = {name: file.get_tensor(name) for name in names}
    except SafetensorError as error:
        raise ValueError(f"{path} is damaged; get or write it again.") from error
    if hash_tensors(tensors) != metadata.get("sha256"):
        raise ValueError(
            f"{path} is damaged: its tensors do not match their sha256; "
            "get or write it again."
        )
    return TensorFile(tensors, metadata)
