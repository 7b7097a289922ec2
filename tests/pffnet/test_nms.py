from __future__ import annotations

import pytest
import torch
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_pffnet.pffnet.nms import batched_nms, vote


def boxes_of(seed: int, count: int, spread: float) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    centres = torch.rand(count, 2, generator=generator) * spread
    sides = 2 + 40 * torch.rand(count, 2, generator=generator) ** 3
    boxes = torch.cat([centres - sides / 2, centres + sides / 2], 1)
    # Equal scores, too.
    scores = torch.randint(0, 30, (count,), generator=generator) / 30
    groups = torch.randint(0, 3, (count,), generator=generator)
    return boxes, scores, groups


@settings(max_examples=100, deadline=None)
@given(
    st.integers(0, 10**6),
    st.integers(0, 400),
    st.sampled_from([20.0, 100.0, 1000.0]),
    st.sampled_from([0.1, 0.3, 0.5, 0.7, 0.9]),
)
def test_it_keeps_what_torchvision_keeps(seed, count, spread, iou):
    boxes, scores, groups = boxes_of(seed, count, spread)
    ours = batched_nms(boxes, scores, groups, iou)
    theirs = []
    for group in groups.unique():
        rows = torch.nonzero(groups == group).flatten()
        kept = torchvision.ops.nms(boxes[rows], scores[rows], iou)
        theirs += rows[kept].tolist()
    assert sorted(ours.tolist()) == sorted(theirs)
    assert scores[ours].tolist() == sorted(scores[ours].tolist(), reverse=True)


@pytest.mark.parametrize("iou", [0.3, 0.7])
def test_a_chain_is_followed_to_its_end(iou):
    # Each box suppresses the next: every second one stays, or fewer.
    x = torch.arange(50) * (1 - iou) / (1 + iou) * 9
    boxes = torch.stack([x, torch.zeros(50), x + 10, torch.full((50,), 10.0)], 1)
    scores = torch.linspace(1, 0.5, 50)
    ours = batched_nms(boxes, scores, torch.zeros(50, dtype=torch.int64), iou)
    assert ours.tolist() == torchvision.ops.nms(boxes, scores, iou).tolist()
    assert 1 < len(ours) < 50


@settings(max_examples=50, deadline=None)
@given(
    st.integers(0, 10**6),
    st.integers(0, 200),
    st.sampled_from([20.0, 100.0]),
    st.sampled_from([0.3, 0.6, 0.9]),
)
def test_a_box_moves_to_the_mean_of_those_that_overlap_it(seed, count, spread, iou):
    boxes, scores, groups = boxes_of(seed, count, spread)
    scores += 0.01
    overlaps = torchvision.ops.box_iou(boxes, boxes).double()
    votes = (overlaps > iou) & (groups[:, None] == groups)
    weights = votes * scores * torch.exp(-((1 - overlaps) ** 2) / 0.03)
    expected = weights @ boxes.double() / weights.sum(1, keepdim=True)
    moved = vote(boxes, scores, groups, iou)
    torch.testing.assert_close(moved, expected.float(), rtol=1e-4, atol=1e-3)


def test_no_box_moves_where_none_may_vote():
    boxes, scores, groups = boxes_of(0, 100, 20.0)
    torch.testing.assert_close(vote(boxes, scores, groups, 1.0), boxes)


def test_boxes_without_a_score_stay_finite():
    boxes, scores, groups = boxes_of(1, 100, 20.0)
    assert vote(boxes, torch.zeros_like(scores), groups, 0.5).isfinite().all()
