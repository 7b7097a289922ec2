"""Images and labels, from folders or from memory, as training images."""

from __future__ import annotations

import logging
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_pffnet.data.axes import as_pixels
from napari_pffnet.data.checks import Finding, Problem
from napari_pffnet.data.coco import check_coco
from napari_pffnet.data.prepare import (
    Checked,
    ReadRules,
    check_pair,
    join_checked,
    needs_classes,
)
from napari_pffnet.data.readers import (
    IMAGE_SUFFIXES,
    JPEG_SUFFIXES,
    ImageFile,
    read_image,
    read_labels,
)
from napari_pffnet.data.training_image import TrainingImage

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from os import PathLike

    from numpy.typing import NDArray

    from napari_pffnet.data.classes import Classes

__all__ = [
    "Checked",
    "ReadRules",
    "TrainingImage",
    "check_folder",
    "from_arrays",
    "load_pairs",
]

logger = logging.getLogger("napari_pffnet")

_MOST_SHOWN = 5


@dataclass(frozen=True, slots=True)
class _PairPaths:
    name: str
    image: Path
    labels: Path
    ignore: Path | None
    classes: Path | None


def load_pairs(
    source: str | PathLike[str], rules: ReadRules | None = None
) -> list[TrainingImage]:
    """Read annotated images.

    Parameters
    ----------
    source
        A folder that holds ``images/`` and ``labels/`` with equal stems, optionally
        ``ignore/`` (not 0 = nothing is known there) and, for several classes,
        ``classes/`` (class of each pixel); or a COCO annotation file (``.json``), as
        in :func:`~napari_pffnet.data.coco.check_coco`.
    rules
        How the files are understood.

    Returns
    -------
    list of TrainingImage
        In order of the names, or of the COCO file; images as uint8.

    Raises
    ------
    ValueError
        If any image cannot be used; the message names each problem and its
        remedy.  Warnings are logged.
    """
    is_coco = Path(source).suffix.lower() == ".json"
    check = check_coco if is_coco else check_folder
    return _accept(check(source, rules), str(source))


def check_folder(
    folder: str | PathLike[str], rules: ReadRules | None = None
) -> Checked:
    """Read a folder of annotated images and say all that is wrong with it.

    Parameters
    ----------
    folder
        As for `load_pairs`; a folder.
    rules
        How the files are understood.

    Raises
    ------
    ValueError
        If there are no ``images/`` and ``labels/`` at all.
    """
    rules = rules or ReadRules()
    paths, findings = _find_pairs(Path(folder), needs_classes=needs_classes(rules))
    results = (_read_pair(pair, rules) for pair in paths)
    return join_checked([Checked((), tuple(findings)), *results])


def from_arrays(
    images: Sequence[NDArray[np.generic]],
    labels: Sequence[NDArray[np.generic]],
    *,
    ignore: Sequence[NDArray[np.generic] | None] | None = None,
    classes: Sequence[Classes | None] | None = None,
    names: Sequence[str] | None = None,
    rules: ReadRules | None = None,
) -> list[TrainingImage]:
    """Make training images of arrays.

    Parameters
    ----------
    images
        (Y, X), (Y, X, C) or any axes that ``rules.config.axes`` names; any real
        dtype.
    labels
        (Y, X) integers, 0 is background; one for each image.  Of pixels that a
        masked array hides nothing is known.
    ignore
        (Y, X) maps, not 0 where nothing is known, or None.
    classes
        For each image the class of each label, or a class map.
    names
        For messages; default: numbers from 0.
    rules
        How the arrays are understood.

    Raises
    ------
    ValueError
        If any image cannot be used, or the numbers of arrays differ.
    """
    count = len(images)
    ignore = ignore or [None] * count
    classes = classes or [None] * count
    names = names or [f"image {i}" for i in range(count)]
    if not len(labels) == len(ignore) == len(classes) == len(names) == count:
        raise ValueError(
            f"{count} images, {len(labels)} labels, {len(ignore)} ignore maps, "
            f"{len(classes)} classes and {len(names)} names; give one for each image."
        )
    results = [
        check_pair(ImageFile(as_pixels(image), None), np.asarray(truth), name,
                   ignore=_with_hidden(truth, unknown), classes=kinds, rules=rules)
        for image, truth, unknown, kinds, name in zip(
            images, labels, ignore, classes, names, strict=True
        )
    ]  # fmt: skip
    return _accept(join_checked(results), "the arrays")


def _with_hidden(
    labels: NDArray[np.generic], ignore: NDArray[np.generic] | None
) -> NDArray[np.generic] | None:
    """Add the pixels that a masked array hides to those of which nothing is known."""
    if not np.ma.is_masked(labels):
        return ignore
    hidden = np.ma.getmaskarray(labels)
    return hidden if ignore is None else hidden | np.asarray(ignore, np.bool_)


def _find_pairs(
    folder: Path, *, needs_classes: bool
) -> tuple[list[_PairPaths], list[Finding]]:
    findings: list[Finding] = []
    images = _files_by_stem(folder / "images", findings)
    labels = _files_by_stem(folder / "labels", findings)
    if not images:
        raise ValueError(
            f"{folder / 'images'} holds no images; put {', '.join(IMAGE_SUFFIXES)} "
            "files there, and label images of the same names into labels/."
        )
    unknown = _files_by_stem(folder / "ignore", findings)
    classes = _files_by_stem(folder / "classes", findings) if needs_classes else {}
    companions = {"labels": labels}
    if needs_classes:
        companions["classes"] = classes
    for where, files in companions.items():
        findings += _missing(images, files, "images", where)
    for where, files in (*companions.items(), ("ignore", unknown)):
        findings += _missing(files, images, where, "images")
    complete = [
        name for name in images if all(name in files for files in companions.values())
    ]
    pairs = [
        _PairPaths(n, images[n], labels[n], unknown.get(n), classes.get(n))
        for n in complete
    ]
    return pairs, findings


def _files_by_stem(folder: Path, findings: list[Finding]) -> dict[str, Path]:
    """List the readable files; a stem that occurs twice is a finding."""
    files: dict[str, Path] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.name.startswith(".") or path.suffix.lower() not in IMAGE_SUFFIXES:
            continue
        if path.is_dir():
            continue
        if path.stem in files:
            message = (
                f"{files[path.stem].name} and {path.name} in {folder.name}/ have one "
                "name; keep one of them."
            )
            findings.append(Finding(Problem.PARTNER, path.stem, message))
        files.setdefault(path.stem, path)
    return files


def _missing(
    wanted: Iterable[str], present: Iterable[str], there: str, where: str
) -> list[Finding]:
    return [
        Finding(
            Problem.PARTNER,
            name,
            f"There is a file in {there}/ and none of this name in {where}/; add it, "
            "or take the other away.",
        )
        for name in sorted(set(wanted) - set(present))
    ]


def _read_pair(paths: _PairPaths, rules: ReadRules) -> Checked:
    if paths.labels.suffix.lower() in JPEG_SUFFIXES:
        message = (
            f"{paths.labels.name} is a JPEG, whose compression changes label numbers; "
            "save labels as PNG or TIFF."
        )
        return Checked((), (Finding(Problem.LOSSY, paths.name, message),))
    try:
        return check_pair(
            read_image(paths.image),
            read_labels(paths.labels),
            paths.name,
            ignore=None if paths.ignore is None else read_labels(paths.ignore),
            classes=_read_classes(paths.classes),
            rules=rules,
        )
    except (ValueError, FileNotFoundError) as error:
        return Checked((), (Finding(Problem.UNREADABLE, paths.name, str(error)),))


def _read_classes(path: Path | None) -> NDArray[np.integer] | None:
    if path is None:
        return None
    classes = read_labels(path)
    # Of the largest numbers int64 would make negative ones.
    return classes.astype(np.uint64 if classes.dtype.kind == "u" else np.int64)


def _accept(checked: Checked, source: str) -> list[TrainingImage]:
    """Return the images; raise the errors, log the warnings."""
    errors = [f for f in checked.findings if f.severity == "error"]
    if errors:
        shown = "\n".join(f"  {finding}" for finding in errors[:_MOST_SHOWN])
        more = len(errors) - _MOST_SHOWN
        rest = f"\n  and {more} more" if more > 0 else ""
        raise ValueError(f"{source} cannot be used for training:\n{shown}{rest}")
    by_problem = defaultdict(list)
    for finding in checked.findings:
        by_problem[finding.problem].append(finding)
    for problem, findings in by_problem.items():
        logger.warning(
            "%s: %s in %d of %d images, first %s",
            source, problem, len(findings), len(checked.images), findings[0],
        )  # fmt: skip
    return list(checked.images)
