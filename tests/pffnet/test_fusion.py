"""Feature fusion against algorithm 1 and figure 10 of paper 000, written as loops."""

import pytest
import torch
from torch.nn import functional as F

from napari_pffnet.pffnet.fusion import FeatureFusion
from napari_pffnet.pffnet.layers import norm_factory
from napari_pffnet.pffnet.masks import DualModalMaskGenerator
from napari_pffnet.pffnet.paste import roi_footprint, sample_masks

KINDS = ["replace", "sum", "attention", "residual_attention"]
GROUP = norm_factory("group")


def fusion(kind="residual_attention", n_classes=2, **options):
    torch.manual_seed(0)
    return FeatureFusion(kind, n_classes, 8, norm=GROUP, **options)


def random_rois(n, size=28, n_images=2, n_classes=2, seed=0):
    """Boxes on whole pixels that overlap, with masks, classes, images and scores."""
    torch.manual_seed(seed)
    corner = torch.randint(0, 12, (n, 2)).float()
    boxes = torch.cat([corner, corner + torch.randint(3, 20, (n, 2))], 1)
    logits = 2 * torch.randn(n, 2, size, size)
    class_ids = torch.randint(1, n_classes + 1, (n,))
    return logits, boxes, class_ids, torch.randint(0, n_images, (n,)), torch.rand(n)


def loop(kind, features, logits, boxes, class_ids, images, scores):
    """Algorithm 1, line by line, with the four steps of figure 10."""
    fused = [f.clone() for f in features]
    for i in scores.argsort():
        x0, y0, x1, y1 = boxes[i].int().tolist()
        for mask, channel in ((0, 0), (1, int(class_ids[i]))):
            m = logits[i, mask]
            if "attention" in kind:
                m = m.sigmoid()
            size = (y1 - y0, x1 - x0)
            r = F.interpolate(m[None, None], size, mode="bilinear")[0, 0]
            before = fused[images[i]]
            sub = before[channel, y0:y1, x0:x1]
            new = {
                "replace": r,
                "sum": sub + r,
                "attention": sub * r,
                "residual_attention": sub * (1 + r),
            }[kind]
            fused[images[i]] = before.clone()
            fused[images[i]][channel, y0:y1, x0:x1] = new
    return torch.stack(fused)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", range(9))
def test_fused_map_is_that_of_the_loop(kind, n):
    rois = random_rois(n, seed=n)
    features = torch.randn(2, 3, 32, 32)
    fused = fusion(kind).fuse(features, *rois)
    torch.testing.assert_close(fused, loop(kind, features, *rois), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_those_of_the_loop(kind):
    logits, *rest = random_rois(8)
    features = torch.randn(2, 3, 32, 32, requires_grad=True)
    logits.requires_grad_()
    weights = torch.randn(2, 3, 32, 32)
    leaves = (features, logits)
    fused = fusion(kind).fuse(features, logits, *rest)
    literal = loop(kind, features, logits, *rest)
    got = torch.autograd.grad((fused * weights).sum(), leaves)
    wanted = torch.autograd.grad((literal * weights).sum(), leaves)
    for a, b in zip(got, wanted, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3)


def test_gain_map_of_8_equal_rois_is_the_product_of_their_gains():
    """Gain = F_K for F_0 = 1; probabilities 0.5 and 0.25 by hand."""
    logits = torch.tensor([0.25, 0.5]).logit()[:, None, None].expand(8, 2, 28, 28)
    boxes = torch.tensor([[2.0, 3.0, 7.0, 9.0]]).expand(8, 4)
    one = torch.ones(8, dtype=torch.long)
    gain = fusion(n_classes=1).fuse(
        torch.ones(1, 2, 12, 12), logits, boxes, one, one - 1
    )
    inside = torch.zeros(12, 12, dtype=torch.bool)
    inside[3:9, 2:7] = True
    for channel, p in enumerate((0.25, 0.5)):
        expected = torch.where(inside, (1 + p) ** 8, 1.0)
        torch.testing.assert_close(gain[0, channel], expected, rtol=1e-5, atol=0)


def test_other_classes_and_other_images_stay_as_they_are():
    features = torch.randn(2, 4, 16, 16)
    rois = (torch.zeros(1, 2, 28, 28), torch.tensor([[2.0, 2.0, 9.0, 9.0]]))
    class_ids, images = torch.tensor([2]), torch.tensor([1])
    changed = fusion(n_classes=3).fuse(features, *rois, class_ids, images) != features
    assert changed.flatten(2).any(2).tolist() == [
        [False, False, False, False],
        [True, False, True, False],
    ]


def test_replacement_paints_the_highest_score_last_whatever_the_order():
    logits, boxes, class_ids, images, scores = random_rois(8)
    features = torch.randn(2, 3, 32, 32)
    order = torch.randperm(8)
    module = fusion("replace")
    fused = module.fuse(features, logits, boxes, class_ids, images, scores)
    shuffled = (x[order] for x in (logits, boxes, class_ids, images, scores))
    assert module.fuse(features, *shuffled).equal(fused)
    unsorted = module.fuse(features, logits, boxes, class_ids, images)
    assert not unsorted.equal(fused)


def test_gain_is_capped_where_asked():
    logits = torch.full((8, 2, 28, 28), 20.0)
    boxes = torch.tensor([[0.0, 0.0, 8.0, 8.0]]).expand(8, 4)
    one = torch.ones(8, dtype=torch.long)
    args = torch.ones(1, 2, 8, 8), logits, boxes, one, one - 1
    assert fusion(n_classes=1).fuse(*args).max().item() == pytest.approx(256, rel=1e-5)
    capped = fusion(n_classes=1, max_gain=16.0).fuse(*args)
    assert capped.max().item() == pytest.approx(16, rel=1e-5)


def test_the_cap_changes_nothing_below_it():
    rois = random_rois(3, seed=3)
    features = torch.randn(2, 3, 32, 32)
    free, capped = fusion(), fusion(max_gain=16.0)
    assert capped.fuse(features, *rois).equal(free.fuse(features, *rois))


def gradient_of_equal_rois(n, mean, spread):
    """Return loss and gradients for n copies of one RoI under bfloat16."""
    module = fusion(n_classes=1, max_gain=16.0)
    torch.manual_seed(1)
    features = torch.randn(1, 2, 32, 32, requires_grad=True)
    mask = (mean + spread * torch.randn(1, 2, 28, 28)).requires_grad_()
    boxes = torch.tensor([[4.0, 4.0, 28.0, 28.0]]).expand(n, 4)
    one = torch.ones(n, dtype=torch.long)
    with torch.autocast("cpu", torch.bfloat16):
        logits = module(features, mask.expand(n, -1, -1, -1), boxes, one, one - 1)
        loss = F.cross_entropy(logits.float(), torch.ones(1, 32, 32, dtype=torch.long))
    loss.backward()
    leaves = (features, mask, *module.parameters())
    return loss, [leaf.grad.norm() for leaf in leaves]


@pytest.mark.parametrize(
    ("mean", "spread"), [(0.0, 0.0), (0.0, 1.0), (0.0, 6.0), (-5.0, 1.0), (-8.0, 1.0)]
)
def test_128_equal_rois_keep_loss_and_gradient_in_bounds(mean, spread):
    """Weak masks stay below the cap: there the shared gradient bounds them."""
    _, of_one = gradient_of_equal_rois(1, mean, spread)
    loss, of_many = gradient_of_equal_rois(128, mean, spread)
    assert loss.isfinite()
    for one, many in zip(of_one, of_many, strict=True):
        assert many.isfinite()
        assert many <= 10 * one


def generator_and_fusion(detach):
    module = fusion(n_classes=1, detach=detach)
    generator = DualModalMaskGenerator(16, 16, 4, norm=GROUP)
    boxes = torch.tensor([[1.0, 2.0, 12.0, 14.0], [5.0, 4.0, 15.0, 15.0]])
    one = torch.ones(2, dtype=torch.long)
    masks = generator(torch.randn(2, 16, 14, 14))
    module(
        torch.randn(1, 2, 16, 16), masks, boxes, one, one - 1
    ).square().sum().backward()
    return generator


def test_gradient_reaches_the_mask_generator():
    generator = generator_and_fusion(detach=False)
    assert generator.fc.weight.grad.abs().max() > 0
    # The background channel, which no other loss teaches, and the object's.
    assert (generator.conv5.weight.grad.flatten(1).abs().amax(1) > 0).all()
    assert generator.conv_x3[0][0].weight.grad.abs().max() > 0


def test_detached_fusion_keeps_the_gradient_away():
    assert all(p.grad is None for p in generator_and_fusion(detach=True).parameters())


@pytest.mark.parametrize("kind", KINDS)
def test_detached_background_is_1_minus_the_object(kind):
    logits, *rest = random_rois(5)
    features = torch.randn(2, 3, 32, 32)
    opposite = torch.stack([-logits[:, 1], logits[:, 1]], 1)
    detached = fusion(kind, detach=True).fuse(features, logits, *rest)
    assert detached.equal(fusion(kind).fuse(features, opposite, *rest))


@pytest.mark.parametrize("kind", KINDS)
def test_extreme_logits_stay_finite_with_their_gradients(kind):
    logits, *rest = random_rois(8)
    logits = (1000 * logits).requires_grad_()
    features = torch.randn(2, 3, 32, 32, requires_grad=True)
    fusion(kind, max_gain=16.0)(features, logits, *rest).square().sum().backward()
    assert logits.grad.isfinite().all()
    assert features.grad.isfinite().all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_inputs_are_fused_in_float32(kind, dtype):
    logits, *rest = random_rois(8)
    logits, features = logits.to(dtype), torch.randn(2, 3, 32, 32, dtype=dtype)
    with torch.autocast("cpu", dtype):
        fused = fusion(kind).fuse(features, logits, *rest)
    exact = loop(kind, features.float(), logits.float(), *rest)
    # One rounding at the end.
    torch.testing.assert_close(fused, exact.to(dtype))


def test_logits_follow_relu_3x3_relu_1x1():
    module = fusion()
    features, rois = torch.randn(2, 3, 32, 32), random_rois(4)
    (conv, norm, _), output = module.refine[1], module.refine[2]
    assert (conv.kernel_size, conv.out_channels) == ((3, 3), 8)
    assert (output.kernel_size, output.out_channels) == ((1, 1), 3)
    fused = loop("residual_attention", features, *rois)
    expected = output(norm(conv(fused.relu())).relu())
    torch.testing.assert_close(module(features, *rois), expected, rtol=1e-3, atol=1e-3)


# -------------------------------------------------------------------- pasting
def test_a_pixel_belongs_to_a_box_that_holds_its_centre():
    boxes = torch.tensor([[1.5, 0.6, 3.5, 1.5], [0.6, 0.6, 1.4, 1.4]])
    spot = roi_footprint(boxes, 4, 4)
    # Centres x: 1.5 inside, 3.5 not; y: 0.5 and 1.5 both outside of [0.6, 1.5).
    assert len(spot.roi) == 0
    spot = roi_footprint(boxes + torch.tensor([0.0, -0.1, 0.0, 0.1]), 4, 4)
    assert spot.roi.tolist() == [0, 0, 0, 0]
    assert spot.y.tolist() == [0, 0, 1, 1]
    assert spot.x.tolist() == [1, 2, 1, 2]


def test_boxes_are_cut_at_the_image():
    boxes = torch.tensor([[-3.0, -2.0, 2.0, 1.0], [3.0, 3.0, 9.0, 9.0], [9, 9, 12, 12]])
    spot = roi_footprint(boxes, 4, 5)
    found = list(zip(spot.roi.tolist(), spot.y.tolist(), spot.x.tolist(), strict=True))
    assert found == [(0, 0, 0), (0, 0, 1), (1, 3, 3), (1, 3, 4)]


def test_masks_are_pasted_where_the_box_says_to_a_fraction_of_a_pixel():
    """A mask that tells its own position gives back the pixel centres."""
    boxes = torch.tensor([[2.3, 1.7, 30.9, 41.2], [-5.5, 3.25, 20.0, 18.0]])
    centres = (torch.arange(28) + 0.5) / 28
    y, x = torch.meshgrid(centres, centres, indexing="ij")
    spot = roi_footprint(boxes, 48, 40)
    u, v = sample_masks(torch.stack([x, y]).expand(2, 2, 28, 28), boxes, spot).T
    x0, y0, x1, y1 = boxes[spot.roi].T
    # Beyond the outermost cell centres the mask keeps its value.
    rim = 0.5 / 28
    wanted_u = ((spot.x + 0.5 - x0) / (x1 - x0)).clamp(rim, 1 - rim)
    wanted_v = ((spot.y + 0.5 - y0) / (y1 - y0)).clamp(rim, 1 - rim)
    torch.testing.assert_close(u, wanted_u, rtol=0, atol=1e-5)
    torch.testing.assert_close(v, wanted_v, rtol=0, atol=1e-5)


def test_2000_rois_cost_their_area_and_not_that_of_the_image():
    corner = torch.rand(2000, 2) * 460
    boxes = torch.cat([corner, corner + 12], 1)
    spot = roi_footprint(boxes, 480, 480)
    assert 2000 * 11**2 <= len(spot.roi) <= 2000 * 13**2
    one = torch.ones(2000, dtype=torch.long)
    masks = torch.zeros(2000, 2, 28, 28)
    fused = fusion(n_classes=1).fuse(
        torch.ones(1, 2, 480, 480), masks, boxes, one, one - 1
    )
    assert fused.isfinite().all()
