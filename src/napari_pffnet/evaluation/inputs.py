"""What is compared with what: arrays, series of arrays, or folders of label images."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from napari_pffnet.data.readers import IMAGE_SUFFIXES, read_labels

LabelSource = ArrayLike | Sequence[ArrayLike] | str | os.PathLike[str]
Tables = pd.DataFrame | Sequence[pd.DataFrame | None]

LABELS_ENDING = "_labels"
TABLE_ENDING = "_objects.csv"


@dataclass(frozen=True, slots=True, eq=False)
class LabelPair:
    """Truth and prediction of one image.

    Attributes
    ----------
    name
        Stem of the files, or the position in a series.
    true, pred
        (Y, X) label images.
    table
        One row a predicted object: ``label, confidence`` and, if known,
        ``quality``; None where there is no table.
    """

    name: str
    true: ArrayLike
    pred: ArrayLike
    table: pd.DataFrame | None = None


@dataclass(frozen=True, slots=True)
class PairPaths:
    """The files of one `LabelPair`."""

    name: str
    true: Path
    pred: Path
    table: Path | None = None

    def read(self) -> LabelPair:
        """Read the files."""
        table = None if self.table is None else pd.read_csv(self.table)
        true, pred = read_labels(self.true), read_labels(self.pred)
        return LabelPair(self.name, true, pred, table)


def label_pairs(
    true: LabelSource, pred: LabelSource, tables: Tables | None = None
) -> Iterator[LabelPair]:
    """Pair up true and predicted label images, one at a time.

    Parameters
    ----------
    true, pred
        Two (Y, X) arrays, two series of them, or two folders (`find_pairs`).
    tables
        For arrays, the tables of predicted objects; folders bring their own.

    Raises
    ------
    ValueError
        If the two are of different kinds, their numbers differ or files are
        missing.
    """
    is_path = [isinstance(source, str | os.PathLike) for source in (true, pred)]
    if any(is_path):
        if not all(is_path) or tables is not None:
            raise ValueError(
                "Folders are compared with folders and bring their own tables; "
                "give two folders and no tables, or two arrays or lists of arrays."
            )
        for paths in find_pairs(Path(str(true)), Path(str(pred))):
            yield paths.read()
        return
    trues, preds = _series(true), _series(pred)
    objects = [tables] if isinstance(tables, pd.DataFrame) else tables
    if len(trues) != len(preds) or len(objects or trues) != len(trues):
        raise ValueError(
            f"There are {len(trues)} true and {len(preds)} predicted label images "
            f"and {len(objects or [])} tables; give one of each for every image."
        )
    columns = zip(trues, preds, objects or repeat(None), strict=False)
    for number, (one_true, one_pred, table) in enumerate(columns):
        yield LabelPair(str(number), one_true, one_pred, table)


def find_pairs(true_folder: Path, pred_folder: Path) -> list[PairPaths]:
    """Find the files of equal stems in two folders of label images.

    A prediction is ``<stem>_labels.<suffix>`` or ``<stem>.<suffix>``, the first
    wins; ``<stem>_objects.csv`` beside it is its table.

    Parameters
    ----------
    true_folder, pred_folder
        Every image in ``true_folder`` needs a prediction; what else lies in
        ``pred_folder`` is left alone.

    Raises
    ------
    ValueError
        If there is no label image, or one has no prediction or is not unique.
    """
    trues, preds = _label_files(true_folder), _label_files(pred_folder)
    missing = sorted(set(trues) - set(preds))
    if missing:
        raise ValueError(
            f"{len(missing)} of {len(trues)} label images have no prediction in "
            f"{pred_folder}, the first is {missing[0]!r}; predictions are named "
            f"<stem>{LABELS_ENDING}.tif, or as the true label image."
        )
    pairs = []
    for name, path in sorted(trues.items()):
        table = pred_folder / f"{name}{TABLE_ENDING}"
        pairs.append(
            PairPaths(name, path, preds[name], table if table.is_file() else None)
        )
    return pairs


def _label_files(folder: Path) -> dict[str, Path]:
    """Return the label images of a folder by stem."""
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder; give a folder of label images.")
    plain: dict[str, Path] = {}
    ours: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in IMAGE_SUFFIXES or path.name.startswith("."):
            continue
        if path.is_dir():
            continue
        stem = path.stem.removesuffix(LABELS_ENDING)
        files = plain if stem == path.stem else ours
        if stem in files:
            raise ValueError(
                f"{files[stem].name} and {path.name} in {folder} have one stem; "
                "keep one of them."
            )
        files[stem] = path
    if not plain and not ours:
        raise ValueError(
            f"No label images in {folder}; give the folder that holds the files, "
            f"such as {folder / 'labels'} ({', '.join(IMAGE_SUFFIXES)})."
        )
    return plain | ours


def _series(source: LabelSource) -> Sequence[ArrayLike]:
    """Return one image, or a series of them, as a series."""
    if isinstance(source, np.ndarray):
        return [source] if source.ndim < 3 else list(source)
    if isinstance(source, Sequence):
        return source
    return _series(np.asarray(source))
