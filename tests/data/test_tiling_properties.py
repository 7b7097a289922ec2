"""What must hold of tiles of any image: each object comes out of them exactly once."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_pffnet.data.tiling import distinct, least_tile, make_tiles
from napari_pffnet.instances import Instances

EXAMPLES = settings(max_examples=50, deadline=None)
WHOLE, CUT = 1.0, 0.5
"""What the confidence of objects counts that a tile shows whole, or cuts."""


@st.composite
def plans(draw):
    """Draw the shape of an image, the side of its tiles and their margin."""
    margin = draw(st.integers(16, 90))
    tile = least_tile(margin) + draw(st.integers(0, 200))
    shape = draw(st.tuples(st.integers(1, 900), st.integers(1, 900)))
    return shape, tile, margin


@EXAMPLES
@given(plans())
def test_each_pixel_lies_in_one_core(plan):
    shape, tile, margin = plan
    cores = np.zeros(shape, np.uint8)
    for one in make_tiles(shape, tile=tile, margin=margin):
        cores[
            one.y.core_start : one.y.core_stop, one.x.core_start : one.x.core_stop
        ] += 1
    assert (cores == 1).all()


@EXAMPLES
@given(plans())
def test_cores_have_their_margin_but_at_the_edges_of_the_image(plan):
    shape, tile, margin = plan
    for one in make_tiles(shape, tile=tile, margin=margin):
        for span, size in ((one.y, shape[0]), (one.x, shape[1])):
            assert span.start % 32 == 0
            assert span.start == 0 or span.core_start - span.start >= margin
            assert span.stop == size or span.stop - span.core_stop >= margin
            assert span.stop <= size


@EXAMPLES
@given(plans(), st.floats(0, 40), st.integers(0, 2**32 - 1))
def test_the_owned_region_holds_the_centres_of_owned_boxes(plan, slack, seed):
    shape, tile, margin = plan
    centres = np.random.default_rng(seed).uniform(-9, 909, (200, 2))
    for one in make_tiles(shape, tile=tile, margin=margin):
        x0, y0, x1, y1 = one.owned_region(slack=slack)
        x, y = (centres - (one.x.start, one.y.start)).T
        inside = (x >= x0) & (x <= x1) & (y >= y0) & (y <= y1)
        owned = one.owns(np.hstack([centres, centres]), slack=slack)
        np.testing.assert_array_equal(inside, owned)


@st.composite
def scenes(draw):
    """Draw an image with objects no larger than the margin, and its tiles."""
    shape, tile, margin = draw(plans())
    cell = draw(st.integers(margin, margin + 60))
    labels = np.zeros(shape, np.int32)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    for y in range(0, shape[0], cell):
        for x in range(0, shape[1], cell):
            height, width = rng.integers(1, margin, 2)
            y0, x0 = np.add((y, x), rng.integers(0, cell - margin + 1, 2))
            labels[y0 : y0 + height, x0 : x0 + width] = labels.max() + 1
    return labels, make_tiles(shape, tile=tile, margin=margin), margin


def detect(labels, tile, slack):
    """Find the objects of a core and around it, each with its confidence."""
    seen = np.zeros_like(labels)
    seen[tile.slices] = labels[tile.slices]
    found = Instances.from_labels(seen)
    boxes = found.boxes[:, [1, 0, 3, 2]]
    rank = np.where(tile.cuts(boxes), CUT, WHOLE)
    owned = tile.owns(boxes, slack=slack)
    return found.select(owned), rank[owned]


@settings(max_examples=30, deadline=None)
@given(scenes())
def test_a_perfect_detector_finds_each_object_exactly_once(scene):
    labels, tiles, margin = scene
    parts, ranks = zip(
        *(detect(labels, tile, margin / 2) for tile in tiles), strict=True
    )
    joined = Instances.concat(parts)
    sources = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    kept = joined.select(distinct(joined, sources, rank=np.concatenate(ranks)))
    assert len(kept) == labels.max()
    painted = kept.to_labels()
    np.testing.assert_array_equal(painted > 0, labels > 0)
    # Each painted id belongs to one object, and each object to one id.
    pairs = np.unique(np.stack([labels, painted]).reshape(2, -1), axis=1)
    assert all(len(np.unique(side)) == pairs.shape[1] for side in pairs)
