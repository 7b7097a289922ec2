"""Parts of images and sizes of objects, from drawings and from the view."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from napari.layers import Image, Labels, Shapes

from napari_pffnet._qt.drawings import (
    measured_diameter,
    selected_region,
    visible_region,
)
from napari_pffnet.config import Region

if TYPE_CHECKING:
    from napari import Viewer


def test_a_rectangle_is_found_where_it_is_drawn() -> None:
    image = Image(np.zeros((5, 60, 80)), scale=(3, 0.5, 0.5), translate=(0, 10, 20))
    # World 15..20 and 30..50 are rows 10..20 and columns 20..60, centres counted.
    corners = np.array([[15, 30], [15, 50], [20, 50], [20, 30]]) - 0.25
    shapes = Shapes([corners])

    found = selected_region(shapes, image, "ZYX")

    assert found == Region(y0=10, x0=20, y1=20, x1=60)


def test_of_several_rectangles_the_selected_one_counts() -> None:
    image = Image(np.zeros((60, 80)))
    boxes = [np.array([[0, 0], [9.0, 9]]) + i for i in (0, 20)]
    shapes = Shapes(boxes, shape_type="rectangle")
    shapes.selected_data = set()
    with pytest.raises(ValueError, match="0 of 2 shapes are selected"):
        selected_region(shapes, image, "YX")

    shapes.selected_data = {1}

    assert selected_region(shapes, image, "YX") == Region(y0=20, x0=20, y1=30, x1=30)


def test_a_rectangle_outside_is_refused() -> None:
    shapes = Shapes([np.array([[100, 100], [120.0, 120]])], shape_type="rectangle")

    with pytest.raises(ValueError, match="Nothing of 'cells' is inside"):
        selected_region(shapes, Image(np.zeros((60, 80)), name="cells"), "YX")


@pytest.mark.parametrize(
    ("kind", "corners", "diameter"),
    [
        ("ellipse", [[0, 0], [0, 20], [20, 20], [20, 0]], 20),
        ("line", [[0, 0], [0, 20]], 20),
        ("rectangle", [[0, 0], [0, 10], [10, 10], [10, 0]], 20 / np.sqrt(np.pi)),
    ],
)
def test_a_drawing_tells_the_diameter(
    kind: str, corners: list[list[float]], diameter: float
) -> None:
    shapes = Shapes([np.array(corners, float)], shape_type=kind)
    image = Image(np.zeros((40, 40)))
    fine = Image(np.zeros((80, 80)), scale=(0.5, 0.5))

    assert measured_diameter(shapes, image, "YX") == pytest.approx(diameter)
    assert measured_diameter(shapes, fine, "YX") == pytest.approx(2 * diameter)


def test_labels_tell_the_diameter_by_their_median() -> None:
    data = np.zeros((40, 40), int)
    data[:10, :10], data[20:30, :10], data[0, 39] = 1, 2, 3
    image = Image(np.zeros((80, 80)), scale=(0.5, 0.5))

    found = measured_diameter(Labels(data), image, "YX")

    assert found == pytest.approx(2 * np.sqrt(4 * 100 / np.pi))
    with pytest.raises(ValueError, match="Nothing is drawn"):
        measured_diameter(Labels(0 * data), image, "YX")


def test_the_visible_part_follows_the_camera(shown_viewer: Viewer) -> None:
    viewer = shown_viewer
    level = np.zeros((2000, 2000), np.uint8)
    plain = viewer.add_image(level, scale=(0.5, 0.5))
    pyramid = viewer.add_image([level, level[::4, ::4]], scale=(0.5, 0.5))
    camera = getattr(viewer, "scene", viewer).camera
    camera.center, camera.zoom = (0, 300, 500), 8
    viewer.screenshot(flash=False)  # draws

    for layer in (plain, pyramid):
        region = visible_region(viewer, layer, "YX")
        assert (region.y0 + region.y1) / 2 == pytest.approx(600, abs=2)
        assert (region.x0 + region.x1) / 2 == pytest.approx(1000, abs=2)
        assert 50 < region.x1 - region.x0 < 500
    for center in ((0, -3000, 500), (0, 500, 3000)):
        camera.center = center
        viewer.screenshot(flash=False)
        for layer in (plain, pyramid):
            with pytest.raises(ValueError, match=r"Nothing of .* is in view"):
                visible_region(viewer, layer, "YX")
