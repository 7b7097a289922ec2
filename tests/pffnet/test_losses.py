"""Loss terms by hand."""

import math

import pytest
import torch

from napari_pffnet.pffnet.losses import (
    box_loss,
    consistency_loss,
    mask_loss,
    semantic_loss,
)


def test_consistency_is_the_mean_over_all_activations() -> None:
    """Eq. 4, N = activations: two classes at two pixels, one of them apart."""
    a = torch.zeros(1, 2, 1, 2)  # softmax 0.5, 0.5
    b = torch.zeros(1, 2, 1, 2)
    b[0, 0, 0, 0] = math.log(3)  # softmax 0.75, 0.25
    loss = consistency_loss(a, b, torch.zeros(1, 1, 2, dtype=torch.long))
    assert loss == pytest.approx((0.25**2 + 0.25**2) / 4)


def test_consistency_leaves_ignored_pixels_out() -> None:
    a, b = torch.randn(1, 2, 4, 4), torch.randn(1, 2, 4, 4)
    classes = torch.zeros(1, 4, 4, dtype=torch.long)
    classes[:, :2] = -1
    changed = b.clone()
    changed[:, :, :2] += 5
    assert consistency_loss(a, b, classes) == consistency_loss(a, changed, classes)


def test_semantic_loss_is_the_mean_cross_entropy_of_known_pixels() -> None:
    logits = torch.zeros(1, 2, 1, 3)
    logits[0, 1, 0, 0] = math.log(3)  # p(1) = 3/4
    classes = torch.tensor([[[1, 0, -1]]])
    wanted = (math.log(4 / 3) + math.log(2)) / 2
    assert semantic_loss(logits, classes) == pytest.approx(wanted)
    assert semantic_loss(logits, torch.full_like(classes, -1)) == 0


def test_mask_loss_is_bce_on_known_cells() -> None:
    logits = torch.tensor([[[0.0, math.log(3)], [math.log(3), 99.0]]])
    covered = torch.tensor([[[1.0, 1.0], [0.0, 0.0]]])
    known = torch.tensor([[[1.0, 1.0], [1.0, 0.0]]])
    wanted = (math.log(2) + math.log(4 / 3) + math.log(4)) / 3
    assert mask_loss(logits, covered, known) == pytest.approx(wanted)


def test_losses_without_rois_are_zero_with_a_gradient() -> None:
    logits = torch.zeros(0, 28, 28, requires_grad=True)
    loss = mask_loss(logits, torch.zeros(0, 28, 28), torch.zeros(0, 28, 28))
    loss.backward()
    assert loss == 0
    assert box_loss(torch.zeros(0, 4), torch.zeros(0, 4), 0) == 0


def test_box_loss_is_smooth_l1_over_all_sampled() -> None:
    predicted = torch.tensor([[1.0, 0, 0, 0]])
    wanted = torch.tensor([[0.0, 1 / 18, 0, 0]])
    linear, quadratic = 1 - 1 / 18, 0.5 * (1 / 18) ** 2 * 9
    assert box_loss(predicted, wanted, 4) == pytest.approx((linear + quadratic) / 4)
