import doctest

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_pffnet import link_planes, linking
from napari_pffnet.candidates import PlaneCandidates
from napari_pffnet.instances import Instances

SHAPE = (30, 40)


def plane(*places, classes=None) -> Instances:
    """Return squares that do not overlap, each given by y, x, side and quality."""
    labels = np.zeros(SHAPE, np.int32)
    for label, (y, x, side, _) in enumerate(places, start=1):
        labels[y : y + side, x : x + side] = label
    return Instances.from_labels(
        labels,
        classes or [1] * len(places),
        # Painted in this order, so they get their numbers in it.
        np.linspace(1, 0.6, len(places)),
        [place[3] for place in places],
    )


def painted(*planes, leading=None, axes="Z"):
    """Return labels and table as segment_planes gives them."""
    leading = leading or (len(planes),)
    names = ("nucleus", "debris")
    return PlaneCandidates(planes, leading, axes, names, 0.7, 0.5).paint()


def link(*planes, axis="Z", leading=None, axes="Z", **options):
    found = painted(*planes, leading=leading, axes=axes)
    return link_planes(found.labels, found.table, axis=axis, **options)


def test_outlines_that_overlap_become_one_object_with_one_row():
    linked = link(
        plane((5, 5, 10, 0.9), (5, 25, 4, 0.8)), plane((6, 5, 10, 0.6)), plane()
    )
    assert linked.labels.dtype == np.int32
    assert [np.unique(p).tolist() for p in linked.labels] == [[0, 1, 2], [0, 1], [0]]
    row = linked.table.iloc[0]
    assert (row["label"], row["area"], row["planes"]) == (1, 200, 2)
    assert (row["bbox_z0"], row["bbox_y0"], row["bbox_z1"], row["bbox_y1"]) == (
        0, 5, 2, 16,
    )  # fmt: skip
    assert linked.table["bbox_z1"].tolist() == [2, 1]


def test_means_are_weighted_by_area_and_the_worst_plane_is_told():
    linked = link(plane((0, 5, 10, 0.9)), plane((1, 6, 8, 0.4)), plane((0, 5, 10, 0.9)))
    row = linked.table.loc[0]
    assert row["quality"] == pytest.approx((200 * 0.9 + 64 * 0.4) / 264)
    assert row["worst_quality"] == pytest.approx(0.4)
    assert (row["worst_z"], row["z"]) == (1, 0)
    assert row["touches_border"]


def test_a_class_is_that_of_most_pixels():
    linked = link(
        plane((0, 0, 10, 0.9), classes=[2]),
        plane((0, 0, 8, 0.9), classes=[1]),
        plane((0, 0, 8, 0.9), classes=[1]),
    )
    assert linked.table["class"].tolist() == ["nucleus"]
    assert linked.table["class_id"].tolist() == [1]


def test_rows_of_planes_are_kept_with_both_numbers():
    linked = link(plane((0, 0, 5, 0.9), (20, 20, 5, 0.8)), plane((20, 20, 5, 0.7)))
    assert linked.parts["label"].tolist() == [1, 2, 2]
    assert linked.parts["former"].tolist() == [1, 2, 3]
    assert linked.parts["quality"].tolist() == pytest.approx([0.9, 0.8, 0.7])


def test_an_unknown_quality_does_not_count():
    linked = link(plane((0, 0, 5, np.nan), (20, 20, 5, np.nan)), plane((0, 0, 5, 0.5)))
    np.testing.assert_array_equal(linked.table["quality"], [0.5, np.nan])
    np.testing.assert_array_equal(linked.table["worst_quality"], [0.5, np.nan])


def test_the_best_pair_is_linked_first_and_each_outline_once():
    # The wide one touches both; the second overlaps more.
    linked = link(plane((0, 0, 10, 0.9)), plane((0, 0, 5, 0.9), (5, 0, 9, 0.9)))
    assert linked.labels[1, 7, 5] == linked.labels[0, 0, 0] == 1
    assert linked.labels[1, 0, 0] == 2


def test_less_overlap_than_asked_for_links_nothing():
    planes = plane((0, 0, 10, 0.9)), plane((0, 5, 10, 0.9))
    assert len(link(*planes, min_overlap=1 / 3).table) == 1
    assert len(link(*planes, min_overlap=0.34).table) == 2


def test_outlines_that_do_not_overlap_stay_apart_at_any_limit():
    planes = plane((0, 0, 5, 0.9)), plane((20, 20, 5, 0.9))
    assert len(link(*planes, min_overlap=0).table) == 2


def test_a_gap_is_bridged_where_that_is_allowed():
    planes = [plane((0, 0, 10, 0.9)), plane(), plane((0, 1, 10, 0.9))]
    assert len(link(*planes).table) == 2
    bridged = link(*planes, gap=1)
    assert bridged.table[["planes", "bbox_z0", "bbox_z1"]].iloc[0].tolist() == [2, 0, 3]
    assert not bridged.labels[1].any()


def test_stacks_of_a_film_are_linked_in_depth_then_in_time():
    here, low = plane((0, 0, 10, 0.9)), plane((0, 0, 10, 0.4))
    there = plane((0, 2, 10, 0.7))
    found = painted(here, low, there, plane(), leading=(2, 2), axes="TZ")
    stacks = link_planes(found.labels, found.table, axis="Z")
    assert stacks.table[["t", "area", "planes"]].to_numpy().tolist() == [
        [0, 200, 2],
        [1, 100, 1],
    ]
    tracks = link_planes(stacks.labels, stacks.table, axis="T", min_overlap=0.3)
    assert tracks.table["bbox_t1"].tolist() == tracks.table["bbox_z1"].tolist() == [2]
    assert np.unique(tracks.labels).tolist() == [0, 1]
    row = tracks.table.loc[0]
    assert (row["worst_quality"], row["worst_t"]) == (pytest.approx(0.4), 0)


def test_a_stack_without_objects_has_an_empty_table():
    linked = link(plane(), plane())
    assert not linked.labels.any()
    assert len(linked.table) == len(linked.parts) == 0
    assert {"label", "class", "worst_quality"} <= set(linked.table)


def test_what_was_given_stays_as_it_is():
    found = painted(plane((0, 0, 5, 0.9)), plane((0, 0, 5, 0.9)))
    labels, table = found.labels.copy(), found.table.copy()
    link_planes(found.labels, found.table, axis="Z")
    np.testing.assert_array_equal(found.labels, labels)
    pd.testing.assert_frame_equal(found.table, table)


@pytest.mark.parametrize(
    ("axis", "options", "message"),
    [
        ("T", {}, "no axis T to link along; these labels have Z"),
        ("Z", {"min_overlap": 2}, "less than or equal to 1"),
        ("Z", {"overlap": 0.5}, "overlap"),
    ],
)
def test_what_cannot_be_meant_is_refused(axis, options, message):
    with pytest.raises(ValueError, match=message):
        link(plane((0, 0, 5, 0.9)), plane(), axis=axis, **options)


def test_labels_of_another_table_are_refused():
    found = painted(plane((0, 0, 5, 0.9)), plane((0, 0, 5, 0.9)))
    with pytest.raises(ValueError, match="Label 2 lies in plane z = 0"):
        link_planes(found.labels[::-1], found.table, axis="Z")
    with pytest.raises(ValueError, match="hold 2, and the table has 1 rows"):
        link_planes(found.labels, found.table[:1], axis="Z")
    with pytest.raises(ValueError, match="a column t or z for each"):
        link_planes(found.labels[0], found.table, axis="Z")


@pytest.mark.parametrize("kind", ["u1", "i4", "i8", "u8", ">u2"])
def test_labels_of_any_integers_are_linked(kind):
    found = painted(plane((0, 0, 5, 0.9)), plane((0, 0, 5, 0.9)))
    linked = link_planes(found.labels.astype(kind), found.table, axis="Z")
    np.testing.assert_array_equal(linked.labels, found.labels > 0)
    assert linked.table["planes"].tolist() == [2]


@pytest.mark.parametrize("number", [-1, 2**40, 2**64 - 1])
def test_numbers_that_no_row_has_are_refused(number):
    found = painted(plane((0, 0, 5, 0.9)), plane((0, 0, 5, 0.9)))
    labels = found.labels.astype(np.int64 if number < 2**63 else np.uint64)
    labels[0, 20, 20] = number
    with pytest.raises(ValueError, match=f"hold {number}, .* row i is label i"):
        link_planes(labels, found.table, axis="Z")


def test_linking_again_says_that_it_is_done_already():
    linked = link(plane((0, 0, 5, 0.9)), plane((0, 0, 5, 0.9)))
    with pytest.raises(ValueError, match="linked already"):
        link_planes(linked.labels, linked.table, axis="Z")


@st.composite
def volumes(draw) -> np.ndarray:
    """Boxes that move by at most one pixel a plane, each in a field of its own."""
    depth = draw(st.integers(1, 5))
    labels = np.zeros((depth, 20, 40), np.int32)
    fields = draw(st.lists(st.integers(0, 7), unique=True, max_size=8))
    for label, field in enumerate(fields, start=1):
        start = draw(st.integers(0, depth - 1))
        y, x = np.array(divmod(field, 4)) * 10 + 2
        for z in range(start, draw(st.integers(start, depth - 1)) + 1):
            labels[z, y : y + 6, x : x + 6] = label
            # At worst 25 of 47 pixels are the same: more than half.
            y = draw(st.integers(max(y - 1, 10 * (field // 4)), y))
            x += draw(st.integers(0, 1)) if x % 10 < 4 else 0
    return labels


@settings(deadline=None)
@given(volumes(), st.randoms(use_true_random=False))
def test_a_volume_that_was_cut_into_planes_is_put_together_again(volume, random):
    cut = np.zeros_like(volume)
    pieces = [(z, label) for z in range(len(volume)) for label in np.unique(volume[z])]
    pieces = [(z, label) for z, label in pieces if label]
    random.shuffle(pieces)
    for number, (z, label) in enumerate(pieces, start=1):
        cut[z][volume[z] == label] = number
    table = pd.DataFrame({"z": np.array([z for z, _ in pieces], int)})
    linked = link_planes(cut, table, axis="Z", min_overlap=0.5)
    pairs = np.unique(np.stack([volume.ravel(), linked.labels.ravel()]), axis=1)
    # Each object has one number, and each number one object.
    assert len(pairs[0]) == len(set(pairs[0])) == len(set(pairs[1]))
    np.testing.assert_array_equal(volume > 0, linked.labels > 0)
    assert linked.table["label"].tolist() == list(range(1, len(linked.table) + 1))


def test_the_example_of_the_documentation_is_true():
    assert doctest.testmod(linking).failed == 0


def test_a_table_that_was_sorted_is_refused():
    found = painted(plane((5, 5, 10, 0.9), (5, 25, 4, 0.8)), plane((6, 5, 10, 0.6)))
    worst_first = found.table.sort_values("confidence")
    with pytest.raises(ValueError, match="neither sorted nor filtered"):
        link_planes(found.labels, worst_first, axis="Z")
