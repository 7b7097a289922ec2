"""Candidates in two files: their arrays, and what else is known of them."""

from __future__ import annotations

import hashlib
import io
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from napari_pffnet.config import Region
from napari_pffnet.files import write_atomically
from napari_pffnet.instances import Instances

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

ARRAYS, FACTS = "candidates.npz", "candidates.json"
_COLUMNS = ("boxes", "class_ids", "scores", "qualities")


class Facts(BaseModel):
    """What `PlaneCandidates` holds besides the planes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    leading: tuple[int, ...]
    axes: str
    classes: tuple[str, ...]
    covered: float
    score_threshold: float
    pixel_size_um: float | None
    region: Region | None


class _Document(BaseModel):
    """What the JSON file says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sha256: str
    """Of the file of the arrays."""
    shape: tuple[int, int]
    facts: Facts


def write_planes(folder: Path, planes: Sequence[Instances], facts: Facts) -> None:
    """Write both files, each of them whole or not at all."""
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(plane, name) for plane in planes])
        for name in (*_COLUMNS, "masks")
    }
    columns["masks"] = np.packbits(columns["masks"])
    columns["counts"] = np.array([len(plane) for plane in planes])
    buffer = io.BytesIO()
    np.savez(buffer, **columns)
    content = buffer.getvalue()
    sha256 = hashlib.sha256(content).hexdigest()
    document = _Document(sha256=sha256, shape=planes[0].shape, facts=facts)
    write_atomically(folder / ARRAYS, content)
    write_atomically(folder / FACTS, document.model_dump_json(indent=1).encode())


def read_planes(folder: Path) -> tuple[tuple[Instances, ...], Facts]:
    """Read what `write_planes` wrote.

    Raises
    ------
    ValueError
        If the two files do not belong together.
    """
    document = _Document.model_validate_json((folder / FACTS).read_bytes())
    content = (folder / ARRAYS).read_bytes()
    if hashlib.sha256(content).hexdigest() != document.sha256:
        raise ValueError(
            f"{ARRAYS} and {FACTS} in {str(folder)!r} do not belong together; "
            "segment the image again."
        )
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return _split(dict(arrays), document.shape), document.facts


def _split(
    arrays: Mapping[str, NDArray[Any]], shape: tuple[int, int]
) -> tuple[Instances, ...]:
    """Part the candidates of all planes."""
    ends = np.cumsum(arrays["counts"])
    sizes = np.diff(arrays["boxes"].reshape(-1, 2, 2), axis=1).prod(axis=(1, 2))
    offsets = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
    masks = np.unpackbits(arrays["masks"], count=offsets[-1]).view(np.bool_)
    return tuple(
        Instances(
            masks=masks[offsets[start] : offsets[end]],
            offsets=offsets[start : end + 1] - offsets[start],
            shape=shape,
            **{name: arrays[name][start:end] for name in _COLUMNS},
        )
        for start, end in pairwise([0, *ends])
    )
