"""Assignment of anchors and RoIs to objects."""

import torch
from torchvision.ops import box_iou

from napari_pffnet.pffnet import matching
from napari_pffnet.pffnet.matching import NEGATIVE, UNUSED, best_overlaps, match, sample

NOTHING_IGNORED = torch.zeros(100, 100, dtype=torch.bool)


def random_boxes(n: int, side: float = 90) -> torch.Tensor:
    corners = torch.rand(n, 2) * side
    return torch.cat([corners, corners + 1 + torch.rand(n, 2) * 20], 1)


def test_chunks_give_the_same_as_the_whole_table(monkeypatch) -> None:
    torch.manual_seed(0)
    boxes, truth = random_boxes(300), random_boxes(17)
    monkeypatch.setattr(matching, "_PAIRS_A_CHUNK", 100)
    found = best_overlaps(boxes, truth)
    table = box_iou(boxes, truth)
    assert torch.equal(found.iou, table.max(1).values)
    assert torch.equal(found.index, table.max(1).indices)
    assert torch.equal(table[found.best, torch.arange(17)], table.max(0).values)
    assert torch.equal(found.best_iou, table.max(0).values)


def test_thresholds_split_positive_unused_and_negative() -> None:
    truth = torch.tensor([[0.0, 0, 10, 10]])
    boxes = torch.tensor(
        [[0.0, 0, 10, 9], [0, 0, 10, 5], [0, 0, 10, 2], [50, 50, 60, 60]]
    )
    matched, iou = match(
        boxes, truth, NOTHING_IGNORED, positive_iou=0.7, negative_iou=0.3
    )
    assert matched.tolist() == [0, UNUSED, NEGATIVE, NEGATIVE]
    assert torch.allclose(iou, torch.tensor([0.9, 0.5, 0.2, 0.0]))


def test_low_quality_gives_every_object_its_best_box_and_all_ties() -> None:
    truth = torch.tensor([[4.0, 4, 6, 6], [30.0, 30, 40, 40]])
    boxes = torch.tensor(
        [[0.0, 0, 8, 8], [2, 2, 10, 10], [28, 28, 60, 60], [70, 70, 80, 80]]
    )
    matched, _ = match(
        boxes,
        truth,
        NOTHING_IGNORED,
        positive_iou=0.7,
        negative_iou=0.3,
        low_quality=True,
    )
    assert matched.tolist() == [0, 0, 1, NEGATIVE]


def test_ties_stay_positive_where_the_best_box_prefers_another_object() -> None:
    """Both boxes overlap the second object by a third; one is the first object."""
    truth = torch.tensor([[0.0, 0, 10, 10], [5.0, 0, 15, 10]])
    boxes = torch.tensor([[0.0, 0, 10, 10], [10, 0, 20, 10]])
    matched, _ = match(
        boxes,
        truth,
        NOTHING_IGNORED,
        positive_iou=0.9,
        negative_iou=0.1,
        low_quality=True,
    )
    assert matched.tolist() == [0, 1]


def test_no_objects_leaves_only_negatives() -> None:
    matched, _ = match(
        random_boxes(5),
        torch.zeros(0, 4),
        NOTHING_IGNORED,
        positive_iou=0.7,
        negative_iou=0.3,
        low_quality=True,
    )
    assert (matched == NEGATIVE).all()


def test_boxes_inside_the_ignore_map_are_neither() -> None:
    ignore = NOTHING_IGNORED.clone()
    ignore[:, :50] = True
    boxes = torch.tensor([[0.0, 0, 40, 40], [45, 0, 65, 20], [20.0, 0, 60, 20]])
    matched, _ = match(boxes, boxes[:1], ignore, positive_iou=0.7, negative_iou=0.3)
    assert matched.tolist() == [UNUSED, NEGATIVE, UNUSED]


def test_sample_draws_the_asked_share_without_unused() -> None:
    matched = torch.tensor([0] * 50 + [NEGATIVE] * 200 + [UNUSED] * 50)
    rows = sample(matched, size=40, positive_fraction=0.25)
    assert len(rows) == len(set(rows.tolist())) == 40
    assert (matched[rows[:10]] == 0).all()
    assert (matched[rows[10:]] == NEGATIVE).all()


def test_sample_fills_up_with_negatives_and_survives_few() -> None:
    assert (
        len(sample(torch.tensor([0] + [NEGATIVE] * 30), size=16, positive_fraction=0.5))
        == 16
    )
    assert len(sample(torch.tensor([0, NEGATIVE]), size=16, positive_fraction=0.5)) == 2
