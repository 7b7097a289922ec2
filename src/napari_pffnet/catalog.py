"""The models that are known by name, and what their checkpoints say of themselves.

Nothing here loads torch: the window of napari lists models too.
"""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from platformdirs import user_cache_path, user_data_path
from safetensors import SafetensorError, safe_open

from napari_pffnet.config import CheckpointInfo
from napari_pffnet.files import hash_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FORMAT = "napari-pffnet"
FORMAT_VERSION = 1
SUFFIX = ".safetensors"
_STATISTICS = ("running_mean", "running_var")
_BUNDLED = Path(__file__).parent / "models"


Source = Literal["bundled", "user", "downloaded"]


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model on this machine that can be loaded by name."""

    name: str
    path: Path
    source: Source


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A checkpoint on disk, as far as it is known without its network.

    Attributes
    ----------
    path
        The file.
    info
        What it says of itself.
    parameters
        Numbers that were learned.
    weights_sha256
        Hash over the tensors, as the file states it.
    file_sha256
        Hash of the file as it lies there.
    size
        Bytes of it.
    """

    path: Path
    info: CheckpointInfo
    parameters: int
    weights_sha256: str
    file_sha256: str
    size: int


def user_models_dir() -> Path:
    """Return the folder of the user's models; NAPARI_PFFNET_HOME overrides it."""
    home = os.environ.get("NAPARI_PFFNET_HOME")
    return Path(home) if home else user_data_path("napari-pffnet", appauthor=False)


def downloaded_models_dir() -> Path:
    """Return the folder of downloaded models; NAPARI_PFFNET_CACHE overrides it."""
    cache = os.environ.get("NAPARI_PFFNET_CACHE")
    if cache:
        return Path(cache)
    return user_cache_path("napari-pffnet", appauthor=False) / "models"


def list_models() -> list[ModelEntry]:
    """List the models on this machine by name; of equal names the first is used.

    The user's come before downloaded ones: a download never takes the place of a
    model that somebody has trained.
    """
    folders: list[tuple[Path, Source]] = [
        (_BUNDLED, "bundled"),
        (user_models_dir(), "user"),
        (downloaded_models_dir(), "downloaded"),
    ]
    entries: dict[str, ModelEntry] = {}
    for folder, source in folders:
        for path in sorted(folder.glob(f"*{SUFFIX}")):
            entries.setdefault(path.stem, ModelEntry(path.stem, path, source))
    return list(entries.values())


def find_model(name_or_path: str | os.PathLike[str]) -> Path:
    """Return the file of a model on this machine, given its name or its path.

    Raises
    ------
    ValueError
        If no model has this name; the sentence lists those that exist.
    FileNotFoundError
        If a path was given and no file is there.
    """
    path = find_on_disk(name_or_path)
    if path is None:
        raise unknown_model(os.fspath(name_or_path), (m.name for m in list_models()))
    return path


def find_on_disk(name_or_path: str | os.PathLike[str]) -> Path | None:
    """Return the file of a model; None for a name that no model here has.

    Raises
    ------
    FileNotFoundError
        If a path was given and no file is there.
    """
    text = os.fspath(name_or_path)
    names = {entry.name: entry.path for entry in list_models()}
    if text in names:
        return names[text]
    if Path(text).is_file():
        return Path(text)
    if Path(text).name != text or text.endswith(SUFFIX):
        raise FileNotFoundError(f"There is no checkpoint at {text}.")
    return None


def unknown_model(name: str, known: Iterable[str]) -> ValueError:
    """Return the error for a name that is none of the known ones."""
    names = ", ".join(known) or "none is installed"
    return ValueError(
        f"No model is named {name!r}; known models: {names}. "
        f"Give one of these or the path of a {SUFFIX} checkpoint."
    )


def read_info(path: str | os.PathLike[str]) -> CheckpointInfo:
    """Read what a checkpoint says of itself, without reading its weights.

    Raises
    ------
    ValueError
        As :func:`~napari_pffnet.weights.load_model`, except for the hash, which
        needs the weights.
    """
    return parse_info(Path(path), read_metadata(Path(path)))


def read_stored(path: str | os.PathLike[str]) -> StoredModel:
    """Read all that a model card tells of a checkpoint.

    Raises
    ------
    ValueError
        As :func:`read_info`.
    """
    path = Path(path)
    metadata = read_metadata(path)
    return StoredModel(
        path,
        parse_info(path, metadata),
        _count_parameters(path),
        metadata.get("sha256", ""),
        hash_file(path),
        path.stat().st_size,
    )


def read_metadata(path: Path) -> dict[str, str]:
    """Return the metadata of a file of ours, refusing all others."""
    try:
        with safe_open(path, framework="numpy") as file:
            metadata: dict[str, str] = file.metadata() or {}
    except FileNotFoundError:
        raise FileNotFoundError(f"There is no checkpoint at {path}.") from None
    except (SafetensorError, OSError) as error:
        raise ValueError(
            f"{path} is not a whole {SUFFIX} file; it is damaged, or a pickle "
            "(.pt, .pth), which is never loaded."
        ) from error
    if metadata.get("format") != FORMAT:
        raise ValueError(f"{path} was not written by {FORMAT} and cannot be used.")
    told = metadata.get("format_version", "0")
    if not told.isdecimal() or int(told) > FORMAT_VERSION:
        raise ValueError(
            f"{path} has format version {told}, newer than {FORMAT_VERSION}; update "
            "napari-pffnet to use it."
        )
    return metadata


def parse_info(path: Path, metadata: Mapping[str, str]) -> CheckpointInfo:
    """Return the description in the metadata."""
    try:
        return CheckpointInfo.model_validate(json.loads(metadata["info"]))
    except (KeyError, ValueError, RecursionError) as error:
        raise ValueError(
            f"{path} carries no valid description of its network "
            "and cannot be used as a model."
        ) from error


def _count_parameters(path: Path) -> int:
    """Return how many numbers were learned, from the header of the file."""
    with safe_open(path, framework="numpy") as file:
        names = file.keys()
        slices = [file.get_slice(n) for n in names if not n.endswith(_STATISTICS)]
        shapes = [s.get_shape() for s in slices if "F" in s.get_dtype()]
    return sum(math.prod(shape) for shape in shapes)
