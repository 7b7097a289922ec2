"""Which RoIs are fused into the semantic map."""

import torch

from napari_pffnet.pffnet.box_branch import SampledRoIs
from napari_pffnet.pffnet.semantic_part import best_rois


def rois(image: list[int], objects: list[int], ious: list[float]) -> SampledRoIs:
    n = len(image)
    return SampledRoIs(
        torch.zeros(n, 4),
        torch.tensor(image, dtype=torch.long),
        torch.tensor(objects, dtype=torch.long),
        torch.ones(n, dtype=torch.long),
        torch.tensor(ious),
    )


def test_one_roi_an_object_is_fused_the_one_of_highest_iou() -> None:
    several = rois([0, 0, 0, 1, 1], [2, 2, 0, 2, 2], [0.6, 0.9, 0.7, 1.0, 0.8])
    assert sorted(best_rois(several).tolist()) == [1, 2, 3]


def test_no_roi_gives_none() -> None:
    assert best_rois(rois([], [], [])).tolist() == []
