"""Which image and which labels belong together, as far as layers tell.  Knows no Qt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.layers import Image, Labels

from napari_pffnet._qt.layers import finest, is_class_map, possible_axes
from napari_pffnet._qt.results import find_result

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from napari import Viewer


def fits(image: Image, layer: object) -> bool:
    """Whether a layer has labels of objects in planes as large as those of an image."""
    return (
        isinstance(layer, Labels)
        and not is_class_map(layer)
        and _shape(layer)[-2:] == _shape(image)[-2:]
    )


def named_image(images: Iterable[Image], labels: Labels) -> Image | None:
    """Return the image whose name begins that of the labels.

    Of several the one with the longest name, of equal names the first.
    """
    named = [image for image in images if _begins(image.name, labels.name)]
    return max(named, key=lambda image: len(image.name), default=None)


def image_of(
    viewer: Viewer,
    labels: Labels | None,
    chosen: Image | None,
    taken: Collection[Image | None] = (),
) -> Image | None:
    """Return the image that labels belong to, as far as can be told.

    Parameters
    ----------
    viewer
        Where both are.
    labels
        The labels.
    chosen
        Is kept where nothing speaks for another.
    taken
        Images of other labels, to take only if there is no other.
    """
    if labels is None:
        return None
    result = find_result(labels)
    if result is not None and result.image is not None:
        return result.image
    fitting = [
        x for x in reversed(viewer.layers) if isinstance(x, Image) and fits(x, labels)
    ]
    fitting.sort(key=lambda image: (image in taken, image is not chosen))
    # All images of a microscope are of one size: the name tells more.
    return named_image(fitting, labels) or next(iter(fitting), None)


def labels_of(viewer: Viewer, image: Image) -> Labels | None:
    """Return labels that fit an image, those that belong to no other first."""
    fitting = [x for x in reversed(viewer.layers) if fits(image, x)]
    fitting.sort(key=lambda labels: image_of(viewer, labels, image) is not image)
    return next(iter(fitting), None)


def axes_beside(image: Image, labels: Labels) -> str:
    """Return the likeliest axes of an image whose planes are those of the labels.

    Raises
    ------
    ValueError
        If the image has too many axes, or only one.
    """
    readings = possible_axes(image)
    shape = _shape(labels)
    fitting = (axes for axes in readings if _planes_shape(image, axes) == shape)
    # Where none fits, the likeliest tells best what differs.
    return next(fitting, readings[0])


def _planes_shape(image: Image, axes: str) -> tuple[int, ...]:
    spatial = axes.replace("S", "")
    sizes = zip(spatial, _shape(image), strict=True)
    return tuple(size for letter, size in sizes if letter != "C")


def _begins(name: str, whole: str) -> bool:
    # The objects of "cell10" are none of "cell1": there the number goes on.
    is_cut = name[-1:].isdigit() and whole[len(name) :][:1].isdigit()
    return name != "" and whole.startswith(name) and not is_cut


def _shape(layer: Image | Labels) -> tuple[int, ...]:
    """Return the shape without what napari shows as colours."""
    return tuple(finest(layer).shape[: layer.ndim])
