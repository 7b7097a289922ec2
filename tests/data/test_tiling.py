from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_pffnet.data.tiling import (
    Span,
    context_margin,
    distinct,
    least_tile,
    make_tiles,
)
from napari_pffnet.instances import Instances


def test_a_small_image_is_one_tile():
    for tile in (0, 256):
        (whole,) = make_tiles((200, 256), tile=tile, margin=64)
        assert whole.y == Span(0, 200, 0, 200, 200)
        assert whole.shape == (200, 256)


def test_tiles_of_a_row_by_hand():
    # 500 px, tiles of 256, margins of 64: steps of at most 128, the last tile
    # at 256 (244 rounded up), so tiles at 0, 128, 256 with seams in the middle
    # of (128, 256) and of (256, 384).
    tiles = make_tiles((100, 500), tile=256, margin=64)
    spans = [tile.x for tile in tiles]
    assert [(s.start, s.stop) for s in spans] == [(0, 256), (128, 384), (256, 500)]
    assert [(s.core_start, s.core_stop) for s in spans] == [
        (0, 192),
        (192, 320),
        (320, 500),
    ]


@settings(deadline=None)  # the machines of CI may be slow
@given(
    st.integers(1, 3000),
    st.integers(64, 150),
    st.integers(0, 600),
)
def test_cores_make_up_the_axis_and_have_context(size, margin, more):
    tile = least_tile(margin) + more
    spans = [t.x for t in make_tiles((10, size), tile=tile, margin=margin)]
    assert spans[0].core_start == 0
    assert spans[-1].core_stop == size
    for left, right in pairwise(spans):
        assert left.core_stop == right.core_start
        assert left.stop - left.core_stop >= margin
        assert right.core_start - right.start >= margin
    for span in spans:
        assert span.start % 32 == 0
        assert span.core_start < span.core_stop
        assert span.stop - span.start <= tile + 31


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_trimmed_tile_shows_a_part_and_answers_for_no_more(data):
    tile = data.draw(st.sampled_from(make_tiles((900, 500), tile=256, margin=64)))
    parts = [
        slice(*sorted(data.draw(st.lists(st.integers(0, n), min_size=2, max_size=2))))
        for n in tile.shape
    ]
    trimmed = tile.trim(*parts)
    for whole, less, part in zip(
        (tile.y, tile.x), (trimmed.y, trimmed.x), parts, strict=True
    ):
        assert less.start % 32 == 0
        assert whole.start <= less.start <= whole.start + part.start
        assert whole.start + part.stop <= less.stop <= whole.stop
        assert less.start <= less.core_start <= less.core_stop <= less.stop
        shown = set(range(less.start, less.stop))
        core = set(range(whole.core_start, whole.core_stop))
        assert set(range(less.core_start, less.core_stop)) == shown & core


def test_every_centre_has_one_owner_and_more_only_within_the_slack():
    tiles = make_tiles((500, 500), tile=256, margin=64)
    centres = np.random.default_rng(0).uniform(0, 500, (300, 2))
    boxes = np.concatenate([centres - 3, centres + 3], axis=1)
    owners = np.sum([tile.owns(boxes) for tile in tiles], axis=0)
    assert (owners == 1).all()
    generous = np.sum([tile.owns(boxes, slack=8) for tile in tiles], axis=0)
    seams = np.abs(centres[:, None] - np.array([192, 320])[:, None])
    np.testing.assert_array_equal(generous > 1, (seams < 8).any(axis=(1, 2)))


def test_only_edges_inside_the_image_cut():
    first, middle, last = make_tiles((100, 500), tile=256, margin=64)
    boxes = np.array([[0, 0, 50, 100], [128, 5, 200, 50], [300, 5, 500, 50.0]])
    assert first.cuts(boxes).tolist() == [False, False, True]
    assert middle.cuts(boxes).tolist() == [True, True, True]
    assert last.cuts(boxes).tolist() == [True, True, False]


def test_margin_is_64_or_the_diameter():
    assert context_margin(28) == 64
    assert context_margin(90.2) == 91


def test_a_tile_without_a_core_is_refused_with_the_size_that_works():
    assert least_tile(64) == 160
    with pytest.raises(ValueError, match=r"tile 128 .* at least 160"):
        make_tiles((999, 999), tile=128, margin=64)
    assert make_tiles((999, 999), tile=160, margin=64)[1].x.start == 32


def overlapping(*columns, scores):
    """Return one-row objects over the given half-open column ranges."""
    parts = []
    for first, last in columns:
        labels = np.zeros((1, 40), np.int32)
        labels[0, first:last] = 1
        parts.append(
            Instances.from_labels(labels, scores=scores[len(parts) : len(parts) + 1])
        )
    return Instances.concat(parts)


def test_the_less_confident_of_two_tiles_goes():
    found = overlapping((0, 10), (1, 11), (30, 40), scores=[0.8, 0.9, 0.3])
    assert distinct(found, np.array([0, 1, 0])).tolist() == [1, 2]
    # Candidates of the same tile are alternatives, not duplicates.
    assert distinct(found, np.array([0, 0, 0])).tolist() == [0, 1, 2]


def test_rank_decides_who_stays_and_neighbours_both_stay():
    found = overlapping((0, 10), (1, 11), scores=[0.8, 0.9])
    kept = distinct(found, np.array([0, 1]), rank=np.array([0.8, 0.45]))
    assert kept.tolist() == [0]
    # Half covered is not more than half.
    apart = overlapping((0, 10), (5, 15), scores=[0.8, 0.9])
    assert distinct(apart, np.array([0, 1])).tolist() == [0, 1]


def test_a_piece_goes_but_does_not_take_the_whole_with_it():
    # The piece covers 4 of the whole's 10 pixels, the whole all of the piece.
    found = overlapping((0, 10), (0, 4), scores=[0.5, 0.9])
    assert distinct(found, np.array([0, 1])).tolist() == [0, 1]
    cut_ranks_lower = np.array([0.5, 0.45])
    assert distinct(found, np.array([0, 1]), rank=cut_ranks_lower).tolist() == [0]
