"""Anchors, proposals and the losses of the RPN."""

import torch

from napari_pffnet.pffnet.rpn import (
    AnchorSampling,
    ProposalLimits,
    RegionProposalNetwork,
    RPNOutput,
    grid_anchors,
)
from napari_pffnet.pffnet.structures import ImageTarget

RATIOS = torch.tensor([0.5, 1.0, 2.0])


def make_rpn(**limits: float) -> RegionProposalNetwork:
    sampling = AnchorSampling(256, 0.5, 0.7, 0.3)
    proposals = ProposalLimits(
        **{"pre_nms": 50, "post_nms": 20, "nms_iou": 0.7, "min_score": 0.0} | limits
    )
    return RegionProposalNetwork(
        8,
        strides=(4, 8, 16, 32, 64),
        sizes=(8, 16, 32, 64, 128),
        ratios=(0.5, 1, 2),
        sampling=sampling,
        train_limits=proposals,
        test_limits=proposals,
    )


def pyramid() -> list[torch.Tensor]:
    return [torch.randn(2, 8, 64 // s, 128 // s) for s in (4, 8, 16, 32, 64)]


def test_anchors_are_centred_on_cells_with_equal_area() -> None:
    anchors = grid_anchors((2, 3), 4, 8, RATIOS)
    centres = (anchors[:, :2] + anchors[:, 2:]) / 2
    sizes = anchors[:, 2:] - anchors[:, :2]
    assert anchors.shape == (18, 4)
    assert centres[3].tolist() == [6.0, 2.0]  # second cell of the first row
    assert centres[9].tolist() == [2.0, 6.0]  # first cell of the second row
    assert torch.allclose(sizes.prod(1), torch.tensor(64.0))
    assert torch.allclose((sizes[:, 1] / sizes[:, 0])[:3], RATIOS)


def test_predictions_and_anchors_are_in_the_same_order() -> None:
    """A peak in one cell of the objectness map must come out at that cell."""
    rpn = make_rpn()
    levels = [torch.zeros(1, 8, 64 // s, 128 // s) for s in (4, 8, 16, 32, 64)]
    for parameter in rpn.head.parameters():
        torch.nn.init.zeros_(parameter)
    output = rpn(levels)
    objectness = [o.clone() for o in output.objectness]
    objectness[1][0, (3 * 16 + 5) * 3 + 1] = 9.0  # P3: row 3, column 5, ratio 1
    found = rpn.propose(RPNOutput(objectness, output.deltas, output.anchors), (64, 128))
    assert torch.allclose(found[0][0], torch.tensor([36.0, 20.0, 52.0, 36.0]))


def test_proposals_lie_inside_the_image_and_are_limited() -> None:
    rpn = make_rpn(post_nms=7)
    found = rpn.propose(rpn(pyramid()), (60, 120))
    assert [len(f) for f in found] == [7, 7]
    assert all(
        (f >= 0).all() and (f[:, 2] <= 120).all() and (f[:, 3] <= 60).all()
        for f in found
    )


def test_min_score_leaves_no_proposal_of_an_unsure_network() -> None:
    rpn = make_rpn(min_score=0.99)
    assert [len(f) for f in rpn.propose(rpn(pyramid()), (64, 128))] == [0, 0]


def test_least_score_leaves_the_proposals_above_it() -> None:
    rpn = make_rpn(pre_nms=10_000, post_nms=10_000)
    output = rpn(pyramid())
    every, some = (
        [f.tolist() for f in rpn.propose(output, (64, 128), least_score=least)]
        for least in (0.0, 0.5)
    )
    for all_of_one, left in zip(every, some, strict=True):
        assert 0 < len(left) < len(all_of_one)
        assert left == all_of_one[: len(left)]
    # No logit of a sigmoid under 0.5 is positive.
    objectness = [o.clamp(max=-0.1) for o in output.objectness]
    objectness[1][0, 0] = 0.1
    one = RPNOutput(objectness, output.deltas, output.anchors)
    found = rpn.propose(one, (64, 128), least_score=0.5)
    assert [len(f) for f in found] == [1, 0]


def test_loss_of_a_sure_and_right_network_is_small() -> None:
    rpn = make_rpn()
    output = rpn([level[:1] for level in pyramid()])
    label_map = torch.zeros(64, 128, dtype=torch.int32)
    label_map[8:24, 16:32] = 1
    target = ImageTarget(
        label_map,
        torch.tensor([[16.0, 8, 32, 24]]),
        torch.tensor([1]),
        torch.tensor([256.0]),
        torch.zeros(64, 128, dtype=torch.bool),
    )
    anchors = torch.cat(output.anchors)
    from napari_pffnet.pffnet.boxes import encode
    from napari_pffnet.pffnet.matching import match

    matched, _ = match(
        anchors,
        target.boxes,
        target.ignore,
        positive_iou=0.7,
        negative_iou=0.3,
        low_quality=True,
    )
    right = torch.where(matched >= 0, 20.0, -20.0)
    deltas = encode(target.boxes.expand(len(anchors), 4), anchors, (1, 1, 1, 1))
    split = [a.shape[0] for a in output.anchors]
    perfect = RPNOutput(
        [o[None] for o in right.split(split)],
        [d[None] for d in deltas.split(split)],
        output.anchors,
    )
    good, random = rpn.losses(perfect, [target]), rpn.losses(output, [target])
    assert good["rpn_objectness"] < 1e-6
    assert good["rpn_box"] < 1e-6
    assert random["rpn_objectness"] > 0.3
