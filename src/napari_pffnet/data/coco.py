"""COCO annotations and their images, as training images."""

from __future__ import annotations

import logging
import os
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, ValidationError

from napari_pffnet.data.checks import Finding, Problem
from napari_pffnet.data.coco_masks import Mask, paint_annotations
from napari_pffnet.data.prepare import (
    Checked,
    ReadRules,
    check_pair,
    join_checked,
    needs_classes,
)
from napari_pffnet.data.readers import read_image

if TYPE_CHECKING:
    from os import PathLike

logger = logging.getLogger("napari_pffnet")


class _Part(BaseModel):
    """Base of what is read of a file; what else it holds does not matter."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class _Image(_Part):
    id: int | str
    file_name: str
    width: int
    height: int


class _Annotation(_Part):
    image_id: int | str
    category_id: int
    segmentation: Mask = []
    iscrowd: bool = False


class _Category(_Part):
    id: int
    name: str


class _CocoFile(_Part):
    images: list[_Image]
    annotations: list[_Annotation]
    categories: list[_Category]


def check_coco(path: str | PathLike[str], rules: ReadRules | None = None) -> Checked:
    """Read the images of a COCO annotation file and say all that is wrong with them.

    Parameters
    ----------
    path
        The JSON file.  Masks are polygons or run lengths, compressed or not; the
        pixels of a crowd are ignored; where objects overlap, the smaller one is on
        top.  Images without annotations are kept as examples of background.
    rules
        How the images are understood; ``rules.config.images`` is their folder,
        without it ``images/`` beside the file or the folder of the file.  With
        several classes in ``rules.model``, categories are found by their names.

    Raises
    ------
    ValueError
        If the file holds no COCO annotations, its images are not found, or none of
        its categories is a class of the model.
    """
    # Unlike Path.resolve it does not mind links in a circle.
    path, rules = Path(os.path.realpath(path)), rules or ReadRules()
    content = _read(path)
    folder = _find_images(path, content, rules.config.images)
    class_ids = _class_ids(path, content, rules)
    by_image = defaultdict(list)
    for annotation in content.annotations:
        by_image[annotation.image_id].append(annotation)
    return join_checked(
        _check_image(image, by_image[image.id], folder, class_ids, rules)
        for image in content.images
    )


def _read(path: Path) -> _CocoFile:
    try:
        content = _CocoFile.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the whole"
        raise ValueError(
            f"{path} holds no COCO annotations (images, annotations, categories): "
            f"{place}: {first['msg']}."
        ) from error
    if not content.images:
        raise ValueError(f"{path} names no images; give a file that does.")
    return content


def _find_images(path: Path, content: _CocoFile, folder: str | None) -> Path:
    """Return the folder in which the images lie."""
    nearby = (path.parent / "images", path.parent)
    candidates = nearby if folder is None else (Path(folder),)
    for candidate in candidates:
        if any((candidate / image.file_name).is_file() for image in content.images):
            return candidate
    raise ValueError(
        f"None of the {len(content.images)} images of {path}, such as "
        f"{content.images[0].file_name}, lies in {' or '.join(map(str, candidates))}; "
        "name their folder with --images."
    )


def _class_ids(path: Path, content: _CocoFile, rules: ReadRules) -> dict[int, int]:
    """Return the class of each category; 0 for those the model does not have."""
    names = [category.name for category in content.categories]
    classes = rules.model.classes
    if not needs_classes(rules):
        if len(names) > 1:
            logger.warning(
                "%s: the categories %s count as one; to tell them apart, name them "
                "as classes in the [model] part of a recipe.",
                path, ", ".join(names),
            )  # fmt: skip
        return {category.id: 1 for category in content.categories}
    if not set(names) & set(classes):
        raise ValueError(
            f"None of the categories of {path} ({', '.join(names)}) is a class of the "
            f"model ({', '.join(classes)}); give the classes the names of categories."
        )
    return {
        category.id: classes.index(category.name) + 1 if category.name in classes else 0
        for category in content.categories
    }


def _check_image(
    image: _Image,
    annotations: list[_Annotation],
    folder: Path,
    class_ids: dict[int, int],
    rules: ReadRules,
) -> Checked:
    name = Path(image.file_name).with_suffix("").as_posix()
    path = folder / image.file_name
    if not path.is_file():
        message = f"It is annotated, and there is no {path}; add it."
        return Checked((), (Finding(Problem.PARTNER, name, message),))
    try:
        file = read_image(path)
        _check_size(image, file.array.shape)
        truth = paint_annotations(
            [annotation.segmentation for annotation in annotations],
            [annotation.iscrowd for annotation in annotations],
            (image.height, image.width),
        )
        checked = check_pair(
            file,
            truth.labels,
            name,
            ignore=truth.ignore if truth.ignore.any() else None,
            classes={
                number: class_ids.get(annotation.category_id, 0)
                for number, annotation in enumerate(annotations, 1)
            },
            rules=rules,
            # An object that others hide in part lies in several polygons.
            may_be_mask=False,
        )
    except ValueError as error:
        return Checked((), (Finding(Problem.UNREADABLE, name, str(error)),))
    return join_checked([checked, _hidden_objects(truth.hidden, name)])


def _check_size(image: _Image, shape: tuple[int, ...]) -> None:
    """Compare what is told with what is there, before memory is taken for it."""
    if not {image.height, image.width} <= set(shape):
        raise ValueError(
            f"The annotations are of {image.height} x {image.width} pixels (Y, X), and "
            f"{image.file_name} has the shape {shape}; they have to be of one size."
        )


def _hidden_objects(count: int, name: str) -> Checked:
    if not count:
        return Checked((), ())
    message = (
        f"{count} annotations have no pixel of their own, as they are too thin or "
        "others cover them; they are left out."
    )
    return Checked((), (Finding(Problem.HIDDEN, name, message),))
