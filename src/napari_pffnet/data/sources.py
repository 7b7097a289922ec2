"""What a user names as training data: a folder of pairs, of parts, or a pack."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_pffnet.data.pack import SUFFIX, read_pack
from napari_pffnet.data.pairs import load_pairs

if TYPE_CHECKING:
    from os import PathLike

    from napari_pffnet.data.prepare import ReadRules
    from napari_pffnet.data.training_image import TrainingImage


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Training and validation images by the name of their set.

    Attributes
    ----------
    train
        One set or more.
    validation
        Empty where the source has none.
    """

    train: dict[str, list[TrainingImage]]
    validation: dict[str, list[TrainingImage]]


def load_data(
    source: str | PathLike[str], rules: ReadRules | None = None
) -> TrainingData:
    """Read all that a source holds.

    Parameters
    ----------
    source
        A folder with ``images/`` and ``labels/``; a folder with such a
        ``train/`` and perhaps a ``val/``; or a file of ``recipes/pack.py``.
    rules
        How files of a folder are understood; what is in a pack is normalised.

    Raises
    ------
    ValueError
        If any image cannot be used; see `load_pairs`.
    """
    path = Path(source)
    if path.suffix == SUFFIX:
        sets = read_pack(path)
        return TrainingData(_part(sets, "train"), _part(sets, "val"))
    if (path / "images").is_dir() or not (path / "train").is_dir():
        return TrainingData({path.name: load_pairs(path, rules)}, {})
    validation = {}
    if (path / "val").is_dir():
        validation[path.name] = load_pairs(path / "val", rules)
    return TrainingData({path.name: load_pairs(path / "train", rules)}, validation)


def _part(
    sets: dict[str, list[TrainingImage]], part: str
) -> dict[str, list[TrainingImage]]:
    end = f"/{part}"
    return {
        name.removesuffix(end): images
        for name, images in sets.items()
        if name.endswith(end)
    }
