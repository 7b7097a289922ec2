"""Metrics of label images: by hand, by brute force, and by what must hold anyway."""

import itertools
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.optimize import linear_sum_assignment

from napari_pffnet import evaluation as ev

IDS = st.sampled_from([0, 2, 3, 7, 40])
LABELS = hnp.arrays(np.int32, (4, 5), elements=IDS)
SHAPE = (3, 8)

SCORES = {
    "aji": ev.aji,
    "aji_plus": ev.aji_plus,
    "dq": lambda t, p: ev.panoptic_quality(t, p).dq,
    "sq": lambda t, p: ev.panoptic_quality(t, p).sq,
    "pq": lambda t, p: ev.panoptic_quality(t, p).pq,
    "f1": ev.object_f1,
    "f1_coverage": lambda t, p: ev.object_f1(t, p, criterion="coverage"),
    "ap50": ev.ap_at,
    "mean_ap": ev.mean_ap,
    "dice": ev.dice,
    "sbd": ev.symmetric_best_dice,
    "object_dice": ev.object_dice,
}
# Of equal choices the order of the ids decides, or that of the search.
ORDERED = {"aji", "aji_plus", "object_dice"}
SYMMETRIC = set(SCORES) - {"aji", "aji_plus", "f1_coverage"}
EACH_SCORE = pytest.mark.parametrize("score", SCORES.values(), ids=SCORES)


def row(*runs):
    """Build a one-row label image of (label, pixels) runs."""
    return np.concatenate([np.full(n, label) for label, n in runs])[None]


def permuted_ids(seed):
    return np.concatenate([[0], 1 + np.random.default_rng(seed).permutation(40)])


# Truth 1 (4 px) and 2 (4 px); prediction 1 covers 3 px of truth 1 and 1 px of
# truth 2, prediction 2 covers 2 px of truth 2 and 2 px of background, and
# prediction 3 (1 px) lies in the background.
TRUE = row((0, 1), (1, 4), (2, 4), (0, 4))
PRED = row((0, 2), (1, 4), (0, 1), (2, 4), (0, 1), (3, 1))


# ------------------------------------------------------------------ by hand


def test_the_hand_worked_pair():
    # Pairs: 1-1 shares 3 of 5 px, 2-1 shares 1 of 7, 2-2 shares 2 of 6.
    assert ev.aji(TRUE, PRED) == pytest.approx((3 + 2) / (5 + 6 + 1))
    assert ev.aji_plus(TRUE, PRED) == pytest.approx(5 / 12)
    assert ev.panoptic_quality(TRUE, PRED) == pytest.approx((2 / 5, 3 / 5, 6 / 25))
    assert ev.object_f1(TRUE, PRED) == pytest.approx(2 / 5)
    assert ev.object_f1(TRUE, PRED, iou=1 / 3) == pytest.approx(4 / 5)
    # Prediction 2 covers 2 of 4 px: not more than half.
    assert ev.object_f1(TRUE, PRED, criterion="coverage") == pytest.approx(2 / 5)
    assert ev.ap_at(TRUE, PRED, 0.5) == pytest.approx(1 / 4)
    # A match up to 0.6, that is at three thresholds of ten.
    assert ev.mean_ap(TRUE, PRED) == pytest.approx(3 / 10 / 4)
    assert ev.dice(TRUE, PRED) == pytest.approx(2 * 6 / (8 + 9))
    # Best Dice of truths 6/8, 4/8; of predictions 6/8, 4/8, 0.
    assert ev.symmetric_best_dice(TRUE, PRED) == pytest.approx((6 / 8 + 4 / 8) / 3)
    assert ev.count_difference(TRUE, PRED) == 1
    by_true = (4 * 6 / 8 + 4 * 4 / 8) / 8
    by_pred = (4 * 6 / 8 + 4 * 4 / 8 + 0) / 9
    assert ev.object_dice(TRUE, PRED) == pytest.approx((by_true + by_pred) / 2)
    assert ev.true_iou(TRUE, PRED) == pytest.approx([3 / 5, 2 / 6, 0])


def test_aji_goes_through_the_truths_in_id_order():
    # Truth 1 takes prediction 5 though truth 2 fits it better; truth 2 finds
    # nothing free and joins the union whole.
    true, pred = row((1, 2), (2, 4)), row((0, 1), (5, 5))
    assert ev.aji(true, pred) == pytest.approx(1 / (6 + 4))
    assert ev.aji_plus(true, pred) == pytest.approx(4 / (5 + 2))
    swapped = row((2, 2), (1, 4))
    assert ev.aji(swapped, pred) == pytest.approx(4 / (5 + 2))


def test_aji_takes_the_best_of_those_that_are_free():
    # Truth 2 would rather have prediction 1, which truth 1 has; it takes 3.
    true, pred = row((1, 4), (2, 4)), row((1, 7), (3, 1))
    assert ev.aji(true, pred) == pytest.approx((4 + 1) / (7 + 4))


def test_aji_plus_wants_the_largest_sum_not_the_largest_single_iou():
    # IoUs: 1-1 4/8, 1-2 2/6, 2-1 2/8: alone 1-1 wins, together 1-2 and 2-1 do.
    true = row((1, 4), (1, 2), (2, 2))
    pred = row((1, 4), (2, 2), (1, 2))
    assert ev.aji_plus(true, pred) == pytest.approx(4 / (6 + 6))
    true, pred = row((1, 3), (1, 3), (2, 3)), row((1, 3), (2, 3), (1, 3))
    # 1-1 3/9, 1-2 3/6, 2-1 3/6: the sum 1 of the last two.
    assert ev.aji_plus(true, pred) == pytest.approx(6 / (6 + 6))


def test_an_iou_of_one_half_is_a_match_but_not_for_panoptic_quality():
    true, pred = row((1, 2), (0, 2)), row((1, 1), (0, 3))
    assert ev.panoptic_quality(true, pred) == (0, 0, 0)
    assert ev.object_f1(true, pred) == 1
    assert ev.ap_at(true, pred, 0.5) == 1


def test_two_halves_of_one_object_are_one_match():
    true, pred = row((1, 4)), row((1, 2), (2, 2))
    assert ev.object_f1(true, pred) == pytest.approx(2 / 3)
    assert ev.ap_at(true, pred) == pytest.approx(1 / 2)


def test_coverage_forgives_size_but_counts_a_prediction_once():
    small, large = row((1, 2), (0, 6)), row((1, 8))
    assert ev.object_f1(small, large) == 0
    assert ev.object_f1(small, large, criterion="coverage") == 1
    two = row((1, 2), (2, 2), (0, 4))
    assert ev.object_f1(two, large, criterion="coverage") == pytest.approx(2 / 3)


def test_a_single_threshold_counts_exactly():
    true, pred = row((1, 20)), row((1, 11), (0, 9))
    assert ev.ap_at(true, pred, 0.55) == 1
    assert ev.ap_at(true, pred, 0.56) == 0
    assert ev.mean_ap(true, pred) == pytest.approx(2 / 10)


def test_object_dice_takes_the_partner_of_most_pixels():
    # Truth 1 shares 2 px with prediction 1 (7 px) and 1 px with prediction 2 (1 px),
    # which would have the better Dice.
    true, pred = row((0, 5), (1, 3)), row((1, 7), (2, 1))
    by_true, by_pred = 4 / 10, (7 * 4 / 10 + 1 * 2 / 4) / 8
    assert ev.object_dice(true, pred) == pytest.approx((by_true + by_pred) / 2)


def test_classes_are_scored_by_themselves():
    true, pred = row((1, 4), (2, 4), (0, 2)), row((1, 4), (2, 4), (3, 2))
    by_class = ev.class_panoptic_quality(true, pred, {1: 1, 2: 2}, {1: 1, 2: 1, 3: 3})
    assert by_class[1] == pytest.approx((2 / 3, 1, 2 / 3))
    assert by_class[2] == (0, 0, 0)
    assert by_class[3] == (0, 0, 0)
    mean = ev.mean_panoptic_quality(true, pred, {1: 1, 2: 2}, {1: 1, 2: 1, 3: 3})
    assert mean == pytest.approx(2 / 9)
    assert ev.panoptic_quality(true, pred).pq == pytest.approx(4 / 5)
    empty = np.zeros(SHAPE, int)
    assert ev.mean_panoptic_quality(empty, empty, {}, {}) == 1


def test_a_label_without_class_is_named():
    with pytest.raises(ValueError, match="first is 2"):
        ev.mean_panoptic_quality(TRUE, PRED, {1: 1}, {1: 1, 2: 1, 3: 1})


@pytest.mark.parametrize("options", [{"criterion": "area"}, {"iou": 0}, {"iou": 1.1}])
def test_unknown_options_are_refused(options):
    with pytest.raises(ValueError, match=r"area|iou is"):
        ev.object_f1(TRUE, PRED, **options)


# ------------------------------------------------------------------ what must hold


@EACH_SCORE
def test_nothing_on_both_sides_is_right_and_on_one_side_wrong(score):
    empty, full = np.zeros(SHAPE, np.uint8), np.ones(SHAPE, np.int64)
    assert score(empty, empty) == 1
    assert score(empty, full) == 0
    assert score(full, empty) == 0


@EACH_SCORE
@given(LABELS)
def test_a_perfect_prediction_gives_1(score, labels):
    assert score(labels, labels * 3) == pytest.approx(1)


@EACH_SCORE
@given(LABELS, LABELS)
def test_every_score_lies_between_0_and_1(score, true, pred):
    assert 0 <= score(true, pred) <= 1 + 1e-12


@pytest.mark.parametrize("name", sorted(SYMMETRIC))
@given(true=LABELS, pred=LABELS)
def test_truth_and_prediction_may_change_places(name, true, pred):
    assert SCORES[name](true, pred) == pytest.approx(SCORES[name](pred, true))


@pytest.mark.parametrize("name", sorted(set(SCORES) - ORDERED))
@given(true=LABELS, pred=LABELS, seed=st.integers(0, 99))
def test_ids_do_not_matter(name, true, pred, seed):
    tables = permuted_ids(seed), permuted_ids(seed + 1)
    changed = SCORES[name](tables[0][true], tables[1][pred])
    assert changed == pytest.approx(SCORES[name](true, pred))


@pytest.mark.parametrize("name", ["aji_plus", "object_dice"])
def test_ids_do_not_matter_where_no_two_choices_are_equal(name):
    rng = np.random.default_rng(0)
    true = np.kron(rng.integers(0, 9, (5, 5)), np.ones((7, 5), int))
    pred = np.roll(true, (2, 1), axis=(0, 1))
    changed = SCORES[name](permuted_ids(1)[true], permuted_ids(2)[pred])
    assert changed == pytest.approx(SCORES[name](true, pred))
    assert changed == pytest.approx(SCORES[name](pred, true))


# ------------------------------------------------------------------ by brute force


def masks(labels):
    return [labels == i for i in np.unique(labels) if i]


def dense_ious(true, pred):
    return np.array(
        [[(t & p).sum() / (t | p).sum() for p in masks(pred)] for t in masks(true)]
    ).reshape(len(masks(true)), len(masks(pred)))


def literal_aji(true, pred):
    """Follow eq. 7 and 8 word by word, on masks."""
    free, above, below = list(masks(pred)), 0, 0
    for t in masks(true):
        ious = [(t & p).sum() / (t | p).sum() for p in free]
        if ious and max(ious) > 0:
            p = free.pop(int(np.argmax(ious)))
            above, below = above + (t & p).sum(), below + (t | p).sum()
        else:
            below += t.sum()
    below += sum(p.sum() for p in free)
    return above / below if below else 1


def largest_matching(allowed):
    """Try every assignment of truths to predictions."""
    small = allowed if allowed.shape[0] <= allowed.shape[1] else allowed.T
    orders = itertools.permutations(range(small.shape[1]), small.shape[0])
    return max(sum(small[i, j] for i, j in enumerate(order)) for order in orders)


@given(LABELS, LABELS)
def test_aji_follows_its_equation(true, pred):
    assert ev.aji(true, pred) == pytest.approx(literal_aji(true, pred))


@given(LABELS, LABELS)
def test_aji_plus_pairs_as_scipys_hungarian_does(true, pred):
    from napari_pffnet.evaluation.matching import optimal_pairs

    overlap = ev.measure_overlap(true, pred)
    ious = dense_ious(true, pred)
    rows, columns = linear_sum_assignment(ious, maximize=True)
    pairs = optimal_pairs(overlap)
    assert overlap.ious[pairs].sum() == pytest.approx(ious[rows, columns].sum())
    assert len(set(overlap.true_index[pairs])) == len(pairs)
    assert len(set(overlap.pred_index[pairs])) == len(pairs)


@given(LABELS, LABELS, st.sampled_from([0.1, 0.25, 0.5, 0.75]))
def test_ap_follows_stardists_definition(true, pred, iou):
    ious = dense_ious(true, pred)
    tp = largest_matching(ious >= iou)
    below = sum(ious.shape) - tp
    assert ev.ap_at(true, pred, iou) == pytest.approx(tp / below if below else 1)
    total = sum(ious.shape)
    f1 = 2 * tp / total if total else 1
    assert ev.object_f1(true, pred, iou) == pytest.approx(f1)


@given(LABELS, LABELS)
def test_coverage_by_brute_force(true, pred):
    allowed = np.array(
        [[(t & p).sum() / t.sum() > 0.5 for p in masks(pred)] for t in masks(true)]
    ).reshape(len(masks(true)), len(masks(pred)))
    total = sum(allowed.shape)
    f1 = 2 * largest_matching(allowed) / total if total else 1
    assert ev.object_f1(true, pred, criterion="coverage") == pytest.approx(f1)


@given(LABELS, LABELS)
def test_true_iou_and_best_dice_by_brute_force(true, pred):
    ious = dense_ious(true, pred)
    expected = ious.max(axis=0, initial=0)
    np.testing.assert_allclose(ev.true_iou(true, pred), expected)
    if ious.size:
        dices = 2 * ious / (1 + ious)
        sbd = min(dices.max(axis=0).mean(), dices.max(axis=1).mean())
        assert ev.symmetric_best_dice(true, pred) == pytest.approx(sbd)


def test_panoptic_quality_agrees_with_torchmetrics():
    torch = pytest.importorskip("torch")
    detection = pytest.importorskip("torchmetrics.detection")
    rng = np.random.default_rng(0)
    true = np.kron(rng.integers(0, 6, (8, 8)), np.ones((4, 4), int))
    pred = np.where(rng.random(true.shape) < 0.2, np.roll(true, 1), true)
    pred = np.roll(pred, 1, axis=0)
    metric = detection.PanopticQuality(
        things={1}, stuffs={0}, return_sq_and_rq=True, return_per_class=True
    )
    stacks = [np.stack([labels > 0, labels], axis=-1)[None] for labels in (pred, true)]
    metric.update(*(torch.from_numpy(stack.astype(np.int64)) for stack in stacks))
    pq, sq, dq = metric.compute()[0].tolist()
    assert 0 < pq < 1
    assert ev.panoptic_quality(true, pred) == pytest.approx((dq, sq, pq))


def test_dice_agrees_with_torchmetrics():
    torch = pytest.importorskip("torch")
    functional = pytest.importorskip("torchmetrics.functional.classification")
    found, truth = torch.from_numpy(PRED > 0), torch.from_numpy(TRUE > 0)
    expected = functional.binary_f1_score(found.int(), truth.int()).item()
    assert ev.dice(TRUE, PRED) == pytest.approx(expected)


def test_5000_objects_in_2000_x_2000_take_seconds():
    # Two tilings of the field, shifted: every object meets four others.
    y, x = np.mgrid[:2000, :2000]
    true = (y // 28) * 100 + x // 28 + 1
    pred = ((y + 11) // 28) * 100 + (x + 9) // 28 + 1
    start = time.process_time()
    scores = ev.evaluate_image(true, pred)
    assert time.process_time() - start < 20
    assert scores.n_true > 5000
    assert 0 < scores.aji <= scores.aji_plus + 0.01
