"""Many training images in one small file, to train on another machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import imagecodecs
import numpy as np

from napari_pffnet.data.axes import repeat_channels
from napari_pffnet.data.training_image import TrainingImage
from napari_pffnet.files import whole_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from os import PathLike

    from numpy.typing import NDArray

SUFFIX = ".npz"
"""A pack is a NumPy archive; each array in it holds one compressed image."""
_EFFORT = 7


def write_pack(
    path: str | PathLike[str],
    sets: Mapping[str, Sequence[TrainingImage]],
    *,
    max_bytes: int | None = None,
) -> int:
    """Write training images, losslessly compressed, into one file.

    Parameters
    ----------
    path
        Ends in ``.npz``; whole or not there.
    sets
        Images of each set by its name, for example ``"bbbc039/train"``; images
        are uint8, without ignore map and of a single class.
    max_bytes
        Largest file that is wanted.

    Returns
    -------
    int
        Size of the file in bytes.

    Raises
    ------
    ValueError
        If an image cannot be kept without loss, or the file is too large.
    """
    path = Path(path)
    if path.suffix != SUFFIX:
        raise ValueError(f"A pack ends in {SUFFIX}; rename {path.name}.")
    arrays: dict[str, Any] = {}
    for name, images in sets.items():
        arrays |= {f"{name}/names": np.array([image.name for image in images])}
        for number, image in enumerate(images):
            arrays[f"{name}/{number}/image"] = _compress_image(image)
            arrays[f"{name}/{number}/labels"] = _compress(
                image.labels.astype(np.uint16)
            )
    with whole_file(path) as part:
        # By its name NumPy would add its own suffix.
        with part.open("wb") as file:
            np.savez(file, **arrays)
        size = part.stat().st_size
        if max_bytes is not None and size > max_bytes:
            raise ValueError(
                f"The pack has {size / 2**20:.1f} MiB and {max_bytes / 2**20:.1f} MiB "
                "are allowed; leave some images out."
            )
    return size


def read_pack(
    path: str | PathLike[str], *, part: str | None = None
) -> dict[str, list[TrainingImage]]:
    """Read a file of `write_pack`: the images of each set by its name.

    Parameters
    ----------
    path
        Ends in ``.npz``.
    part
        Read only the sets named ``<name>/<part>``, and call them ``<name>``.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no pack, or holds no such part.
    """
    end = f"/{part}" if part else ""
    with np.load(path, allow_pickle=False) as pack:
        sets = [k.removesuffix("/names") for k in pack.files if k.endswith("/names")]
        wanted = [name for name in sets if name.endswith(end)]
        if not wanted:
            raise ValueError(
                f"{path} is no pack of training images with {part or 'any set'}; it "
                f"holds {', '.join(sets) or 'no sets'}."
            )
        return {name.removesuffix(end): _unpack_set(pack, name) for name in wanted}


def _unpack_set(pack: Mapping[str, Any], name: str) -> list[TrainingImage]:
    return [
        _unpack(pack[f"{name}/{i}/image"], pack[f"{name}/{i}/labels"], str(stem))
        for i, stem in enumerate(pack[f"{name}/names"])
    ]


def _compress_image(image: TrainingImage) -> NDArray[np.uint8]:
    too_much = image.ignore is not None or (image.class_ids != 1).any()
    if image.image.dtype != np.uint8 or too_much or len(image.class_ids) > 65535:
        raise ValueError(
            f"{image.name} has float intensities, an ignore map, several classes or "
            "more than 65,535 objects; a pack holds none of these."
        )
    gray = (image.image == image.image[..., :1]).all()
    return _compress(image.image[..., 0] if gray else image.image)


def _compress(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    # JPEG XL without loss: two thirds of the size of PNG on these images.
    data = imagecodecs.jpegxl_encode(
        np.ascontiguousarray(pixels), lossless=True, effort=_EFFORT
    )
    return np.frombuffer(data, np.uint8)


def _unpack(
    image: NDArray[np.uint8], labels: NDArray[np.uint8], name: str
) -> TrainingImage:
    pixels = imagecodecs.jpegxl_decode(image.tobytes())
    pixels = np.asarray(repeat_channels(np.atleast_3d(pixels), 3), np.uint8)
    dense = imagecodecs.jpegxl_decode(labels.tobytes()).astype(np.int32)
    class_ids = np.ones(int(dense.max(initial=0)), np.int64)
    return TrainingImage(pixels, dense, None, class_ids, name)
