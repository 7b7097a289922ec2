"""A review of six squares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_pffnet._qt.layers import features_from_table
from napari_pffnet._qt.review_widget import ReviewWidget
from napari_pffnet.instances import Instances

if TYPE_CHECKING:
    import pandas as pd
    from napari import Viewer
    from napari.layers import Labels
    from numpy.typing import NDArray

# Of the objects 1..6: the third is the worst, then the fifth.
CONFIDENCES = (0.9, 0.8, 0.1, 0.7, 0.3, 0.6)


def squares() -> NDArray[np.int32]:
    """Six squares of 20 px in two rows; 1 and 2 touch, all but 6 at the border."""
    labels = np.zeros((70, 100), np.int32)
    for i in range(6):
        row, column = divmod(i, 3)
        labels[row * 40 : row * 40 + 20, column * 30 : column * 30 + 20] = i + 1
    labels[0:20, 20:30] = 1
    return labels


def table_of(labels: NDArray[Any]) -> pd.DataFrame:
    found = Instances.from_labels(
        labels, scores=CONFIDENCES, qualities=np.linspace(0.5, 1, 6)
    )
    return found.to_table(labels, np.arange(6), ["nucleus"])


def add_layers(viewer: Viewer) -> Labels:
    labels = squares()
    image = np.random.default_rng(0).integers(0, 200, labels.shape).astype(np.uint8)
    viewer.add_image(image, name="cells")
    semantic = (labels > 0).astype(np.uint8)
    semantic[60:70, 60:80] = 1
    viewer.add_labels(semantic, name="cells semantic", visible=False)
    layer = viewer.add_labels(labels, name="cells instances")
    layer.features = features_from_table(table_of(labels))
    return layer


def open_widget(viewer: Viewer) -> ReviewWidget:
    widget = ReviewWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Review")
    return widget


@pytest.fixture
def layer(viewer) -> Labels:
    return add_layers(viewer)


@pytest.fixture
def widget(viewer, layer) -> ReviewWidget:
    widget = open_widget(viewer)
    widget.review_button.click()
    return widget


def click(widget: ReviewWidget, *names: str) -> None:
    for name in names:
        widget.objects.buttons[name].click()


def progress(widget: ReviewWidget) -> str:
    return widget.objects.progress.format()
