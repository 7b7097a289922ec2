"""Where the layers of a result lie: exactly on their image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_pffnet._qt.layers import finest, possible_axes

if TYPE_CHECKING:
    from napari.layers import Image, Labels
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the labels of an image lie in the world.

    Attributes
    ----------
    shape
        Of the labels: that of the image, without a leading channel axis; one
        behind others has length 1 and is stretched over all channels.
    options
        What napari's layers take: scale, translate, rotate, shear, affine, units,
        axis_labels.
    """

    shape: tuple[int, ...]
    options: dict[str, Any]

    @classmethod
    def on(cls, layer: Image, axes: str) -> Placement:
        """Return the place of the labels of an image.

        Parameters
        ----------
        layer
            The image.
        axes
            A letter for each axis of its array.
        """
        spatial = axes.replace("S", "")
        first = 1 if spatial[0] == "C" else 0
        shape = np.array(finest(layer).shape)
        shape = shape[[axes.index(letter) for letter in spatial]]
        scale, translate = np.array(layer.scale), np.array(layer.translate)
        if "C" in spatial[1:]:
            # Pixel 0 of n channels is centred on channel 0, one for all on the middle.
            channel = spatial.index("C")
            translate[channel] += (shape[channel] - 1) / 2 * scale[channel]
            scale[channel] *= shape[channel]
            shape[channel] = 1
        options = {
            "scale": scale[first:],
            "translate": translate[first:],
            "rotate": np.array(layer.rotate)[first:, first:],
            "shear": _shear_matrix(layer)[first:, first:],
            "affine": np.array(layer.affine.affine_matrix)[first:, first:],
            "units": layer.units[first:],
            "axis_labels": layer.axis_labels[first:],
        }
        return cls(tuple(shape[first:].tolist()), options)

    @classmethod
    def of_labels(cls, shape: tuple[int, ...], layer: Image) -> Placement | None:
        """Return the place of labels of a shape on an image; None: they do not fit."""
        try:
            readings = possible_axes(layer)
        except ValueError:
            return None
        places = (cls.on(layer, axes) for axes in readings)
        return next((place for place in places if place.shape == shape), None)

    def apply_to(self, layer: Labels) -> None:
        """Move a layer here."""
        for name, value in self.options.items():
            setattr(layer, name, value)


def _shear_matrix(layer: Image) -> NDArray[np.float64]:
    matrix = np.eye(layer.ndim)
    matrix[np.triu_indices(layer.ndim, 1)] = layer.shear
    return matrix
