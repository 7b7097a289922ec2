"""From an image and its labels, as read, to a training image or a reason why not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from napari_pffnet.config import DataConfig, ModelConfig, NormalizationConfig
from napari_pffnet.data.axes import (
    PlanarImage,
    arrange,
    choose_channels,
    repeat_channels,
)
from napari_pffnet.data.checks import (
    Finding,
    Problem,
    check_objects,
    check_values,
    split_components,
)
from napari_pffnet.data.classes import Classes, class_of_objects
from napari_pffnet.data.normalize import normalize
from napari_pffnet.data.training_image import (
    TrainingImage,
    drop_unknown,
    keep_objects,
    number_densely,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from napari_pffnet.data.readers import ImageFile


@dataclass(frozen=True, slots=True)
class Checked:
    """What became of one or more annotated images.

    Attributes
    ----------
    images
        Those that can be used.
    findings
        What their owner should know, of all of them.
    """

    images: tuple[TrainingImage, ...]
    findings: tuple[Finding, ...]


def join_checked(results: Iterable[Checked]) -> Checked:
    """Return the images and findings of all results as one."""
    results = list(results)
    return Checked(
        tuple(image for result in results for image in result.images),
        tuple(finding for result in results for finding in result.findings),
    )


@dataclass(frozen=True, slots=True)
class ReadRules:
    """All that decides how an image and its labels are understood.

    Attributes
    ----------
    config
        Axes, channels and treatment of binary masks, as the user says.
    model
        Its channels and number of classes.
    normalization
        From raw intensities to [0, 1].
    """

    config: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    normalization: NormalizationConfig = field(default_factory=NormalizationConfig)


def check_pair(
    image: ImageFile,
    labels: NDArray[np.generic],
    name: str,
    *,
    ignore: NDArray[np.generic] | None = None,
    classes: Classes | None = None,
    rules: ReadRules | None = None,
    may_be_mask: bool = True,
) -> Checked:
    """Make a training image of one image and its labels, or say why not.

    Parameters
    ----------
    image
        As read; not changed.
    labels
        (Y, X), 0 is background; integral floats are accepted.
    name
        For messages.
    ignore
        (Y, X), not 0 where nothing is known.
    classes
        Class of each label, or a class map.
    rules
        How they are understood.
    may_be_mask
        Whether a single label may stand for all foreground.
    """
    rules = rules or ReadRules()
    findings = check_values(labels, name)
    try:
        plane = _arrange(image, rules)
        if not findings:
            findings = _check_shapes(plane, labels, ignore, classes, name)
        if findings:
            return Checked((), tuple(findings))
        return _combine(plane, labels, name, ignore, classes, rules, may_be_mask)
    except ValueError as error:
        finding = Finding(Problem.UNREADABLE, name, str(error))
        return Checked((), (*findings, finding))


def _arrange(image: ImageFile, rules: ReadRules) -> PlanarImage:
    axes = rules.config.axes or image.axes
    return arrange(image.array, axes, channel_names=image.channel_names)


def _combine(
    plane: PlanarImage,
    labels: NDArray[np.generic],
    name: str,
    ignore: NDArray[np.generic] | None,
    classes: Classes | None,
    rules: ReadRules,
    may_be_mask: bool,
) -> Checked:
    """Put the parts together; what they hold is well formed and of one shape."""
    dense, numbers = number_densely(labels)
    if len(numbers) == 1 and rules.config.split_binary:
        dense = split_components(dense)
        # Regions are known by the number of their label, to which its class belongs.
        numbers = np.repeat(numbers, dense.max())
    findings = check_objects(dense, name, numbers=numbers, may_be_mask=may_be_mask)
    pixels, note = _to_bytes(plane, rules)
    if note:
        findings.append(Finding(Problem.CHANNEL, name, note))
    unknown = None if ignore is None else ignore.astype(bool)
    image = TrainingImage(pixels, dense, unknown, np.ones(len(numbers), np.int64), name)
    if needs_classes(rules) and classes is not None:
        class_ids = class_of_objects(
            dense, classes, numbers=numbers, class_count=len(rules.model.classes)
        )
        missing = int((class_ids == 0).sum())
        if missing:
            message = f"{missing} objects have no class; their pixels are ignored."
            findings.append(Finding(Problem.CLASSLESS, name, message))
        image = keep_objects(image, class_ids > 0, class_ids)
    usable = all(finding.severity != "error" for finding in findings)
    return Checked((drop_unknown(image),) if usable else (), tuple(findings))


def _to_bytes(plane: PlanarImage, rules: ReadRules) -> tuple[NDArray[np.uint8], str]:
    in_channels = rules.model.in_channels
    choice = choose_channels(
        plane,
        rules.config.channels,
        in_channels=in_channels,
        config=rules.normalization,
    )
    unit = normalize(choice.pixels, rules.normalization, rgb=choice.rgb)
    # Eight bits after normalisation lose nothing that a network could see, and
    # hold four times as many images.
    pixels = np.round(unit * 255).astype(np.uint8)
    return np.asarray(repeat_channels(pixels, in_channels), np.uint8), choice.note


def _check_shapes(
    plane: PlanarImage,
    labels: NDArray[np.generic],
    ignore: NDArray[np.generic] | None,
    classes: Classes | None,
    name: str,
) -> list[Finding]:
    shape = plane.pixels.shape[:2]
    class_map = classes if isinstance(classes, np.ndarray) else None
    maps = {"labels": labels, "ignore map": ignore, "class map": class_map}
    return [
        Finding(
            Problem.SHAPE,
            name,
            f"The image is {shape[0]} x {shape[1]} pixels (Y, X) and the {what} "
            f"{' x '.join(map(str, array.shape))}; they have to be of one shape.",
        )
        for what, array in maps.items()
        if array is not None and array.shape != shape
    ]


def needs_classes(rules: ReadRules) -> bool:
    """Whether each object needs a class of its own."""
    return len(rules.model.classes) > 1
