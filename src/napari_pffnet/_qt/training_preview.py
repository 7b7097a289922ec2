"""The present prediction on a part of a validation image, as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QImage, QPixmap
from qtpy.QtWidgets import QLabel, QSizePolicy, QWidget

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from qtpy.QtGui import QResizeEvent

TRUE_COLOR = (90, 200, 250)
FOUND_COLOR = (255, 214, 10)
_BOTH = (255, 255, 255)
_LEAST_WIDTH, _MOST_HEIGHT = 160, 360
_MAGNIFIED = 2
"""Outlines are drawn in half pixels, so that they hide little."""


class TrainingPreview(QLabel):
    """Shows an image with the labels of the user and the objects of the model."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._picture: QPixmap | None = None
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setMinimumWidth(_LEAST_WIDTH)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    def setArrays(self, arrays: NDArray[np.int32]) -> None:
        """Show (3, Y, X): found labels, true labels, and the picture as 0xRRGGBB."""
        pixels = outlined(arrays)
        height, width, _ = pixels.shape
        image = QImage(
            pixels.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888
        )
        # A copy: the bytes do not outlive this method.
        self._picture = QPixmap.fromImage(image.copy())
        self._scale()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the picture as large as there is room."""
        super().resizeEvent(event)
        self._scale()

    def clear(self) -> None:
        """Show nothing."""
        super().clear()
        self._picture = None

    def _scale(self) -> None:
        if self._picture is not None:
            shown = self._picture.scaled(
                QSize(self.width(), _MOST_HEIGHT),
                Qt.AspectRatioMode.KeepAspectRatio,
                Qt.TransformationMode.SmoothTransformation,
            )
            self.setPixmap(shown)
            self.setFixedHeight(shown.height())


def outlined(arrays: NDArray[np.int32]) -> NDArray[np.uint8]:
    """Return the picture with both outlines, (2 Y, 2 X, 3), where both are, white.

    Parameters
    ----------
    arrays
        (3, Y, X): found labels, true labels, and the picture as 0xRRGGBB.
    """
    # Here, as it takes long to load: a widget has to open quickly.
    from skimage.segmentation import find_boundaries

    large: Any = arrays.repeat(_MAGNIFIED, axis=1).repeat(_MAGNIFIED, axis=2)
    found, true = (find_boundaries(labels, mode="inner") for labels in large[:2])
    pixels = np.stack([large[2] >> shift & 255 for shift in (16, 8, 0)], axis=-1)
    pixels = pixels.astype(np.uint8)
    pixels[true] = TRUE_COLOR
    pixels[found] = FOUND_COLOR
    pixels[found & true] = _BOTH
    return np.ascontiguousarray(pixels)
