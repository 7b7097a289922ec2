from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skimage.measure import grid_points_in_poly

from napari_pffnet.export.outlines import trace


def mask_of(*rows: str) -> np.ndarray:
    return np.array([[c == "#" for c in row] for row in rows])


def corners(ring):
    return {tuple(point) for point in ring.tolist()}


def test_a_pixel_is_a_unit_square_at_its_place():
    (piece,) = trace(mask_of("#"), origin=(5, 7))
    assert corners(piece.outer) == {(7, 5), (8, 5), (8, 6), (7, 6)}
    assert piece.holes == []


def test_straight_edges_have_no_corners():
    (piece,) = trace(mask_of("##.", "###"))
    assert len(piece.outer) == 6
    assert corners(piece.outer) == {(0, 0), (2, 0), (2, 1), (3, 1), (3, 2), (0, 2)}


def test_a_ring_has_a_hole():
    (piece,) = trace(mask_of("###", "#.#", "###"))
    assert corners(piece.outer) == {(0, 0), (3, 0), (3, 3), (0, 3)}
    assert [corners(hole) for hole in piece.holes] == [{(1, 1), (2, 1), (2, 2), (1, 2)}]


def test_pixels_that_touch_at_a_corner_are_two_pieces():
    first, second = trace(mask_of("#.", ".#"))
    assert corners(first.outer) == {(0, 0), (1, 0), (1, 1), (0, 1)}
    assert corners(second.outer) == {(1, 1), (2, 1), (2, 2), (1, 2)}


@settings(deadline=None)  # the machines of CI may be slow
@given(
    st.lists(st.lists(st.booleans(), min_size=6, max_size=6), min_size=1, max_size=7)
)
def test_outlines_hold_the_pixels_and_nothing_else(rows):
    mask = np.array(rows)
    pieces = trace(mask)
    assert len(pieces) == ndimage.label(mask)[1]
    painted = np.zeros(mask.shape, bool)
    for piece in pieces:
        # Pixel centres: half a pixel beyond the corner of the pixel.
        inside = [
            grid_points_in_poly(mask.shape, ring[:, ::-1] - 0.5)
            for ring in (piece.outer, *piece.holes)
        ]
        painted |= np.logical_xor.reduce(inside)
    np.testing.assert_array_equal(painted, mask)
