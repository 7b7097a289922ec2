import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from napari_pffnet import evaluation as ev

FEW = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])
OBJECTS = st.lists(st.tuples(FEW, FEW), min_size=3, max_size=30).map(np.array)


def test_spearman_looks_at_ranks_only():
    assert ev.spearman([0.1, 0.2, 0.9], [0.5, 0.51, 0.52]) == pytest.approx(1)
    assert ev.spearman([0.1, 0.2, 0.9], [0.9, 0.2, 0.1]) == pytest.approx(-1)


def test_spearman_leaves_unknown_qualities_out():
    unknown = [np.nan, 0.1, 0.2, 0.9]
    assert ev.spearman(unknown, [1, 0.5, 0.6, 0.7]) == pytest.approx(1)


@pytest.mark.parametrize("quality", [[], [0.5], [0.5, 0.5], [np.nan, np.nan]])
def test_spearman_is_undefined_without_differences(quality):
    assert np.isnan(ev.spearman(quality, np.linspace(0, 1, len(quality))))


@given(OBJECTS)
def test_spearman_agrees_with_scipy(objects):
    x, y = objects.T
    if np.ptp(x) and np.ptp(y):
        assert ev.spearman(x, y) == pytest.approx(stats.spearmanr(x, y).statistic)


def test_auroc_is_the_share_of_pairs_in_the_right_order():
    # Bad: 0.2, 0.6; good: 0.6, 0.9: of four pairs three right, one tied.
    assert ev.auroc_bad([0.2, 0.6, 0.6, 0.9], [0, 0.4, 0.5, 1]) == pytest.approx(
        3.5 / 4
    )


def test_auroc_needs_good_and_bad_objects():
    assert np.isnan(ev.auroc_bad([0.2, 0.6], [0.6, 0.7]))
    assert np.isnan(ev.auroc_bad([], []))


@given(OBJECTS)
def test_auroc_agrees_with_counting_all_pairs(objects):
    confidence, iou = objects.T
    bad, good = confidence[iou < 0.5], confidence[iou >= 0.5]
    if len(bad) and len(good):
        difference = good[None] - bad[:, None]
        expected = (np.sign(difference) + 1).mean() / 2
        assert ev.auroc_bad(confidence, iou) == pytest.approx(expected)


def test_auroc_agrees_with_torchmetrics():
    torch = pytest.importorskip("torch")
    functional = pytest.importorskip("torchmetrics.functional.classification")
    rng = np.random.default_rng(0)
    confidence, iou = rng.random(60).round(1), rng.random(60)
    expected = functional.binary_auroc(
        torch.from_numpy(1 - confidence), torch.from_numpy(iou < 0.5).int()
    )
    found = ev.auroc_bad(confidence, iou)
    assert found == pytest.approx(expected.item(), abs=1e-6)


def test_worst_share_beside_its_ceiling():
    confidence = np.arange(10) / 10
    iou = np.array([0, 1, 0, 1, 1, 1, 1, 1, 1, 0])
    assert ev.worst_share(confidence, iou, 20) == pytest.approx((1 / 3, 2 / 3))
    assert ev.worst_share(confidence, iou, 30) == pytest.approx((2 / 3, 1))
    assert ev.worst_share(confidence, iou, 21) == pytest.approx((2 / 3, 1))
    assert ev.worst_share(confidence, iou, 100) == (1, 1)


def test_worst_share_expects_the_average_of_ties():
    # One of three objects of equal confidence is seen, one of them is bad.
    assert ev.worst_share([0.5] * 3, [0, 1, 1], 30) == pytest.approx((1 / 3, 1))


def test_worst_share_without_bad_objects_is_undefined():
    assert np.isnan(ev.worst_share([0.5], [1.0], 10)).all()
    assert np.isnan(ev.worst_share([], [], 10)).all()


@given(OBJECTS, st.sampled_from([1, 10, 33, 100]))
def test_worst_share_does_not_depend_on_the_order_nor_pass_its_ceiling(objects, k):
    confidence, iou = objects.T
    share, ceiling = ev.worst_share(confidence, iou, k)
    mirrored = ev.worst_share(confidence[::-1], iou[::-1], k)
    assert mirrored == pytest.approx((share, ceiling), nan_ok=True)
    assert np.isnan(share) or 0 <= share <= ceiling + 1e-12


@pytest.mark.parametrize("k", [0, -1, 101])
def test_a_percentage_out_of_range_is_refused(k):
    with pytest.raises(ValueError, match=f"k is {k}"):
        ev.worst_share([0.5], [0.0], k)


def test_bins_hold_the_objects_of_their_qualities():
    found = ev.reliability([0.0, 0.2, 0.5, 0.9, 1.0], [0.1, 0.3, 0.4, 1, 0.7], 2)
    assert found.edges.tolist() == [0, 0.5, 1]
    assert found.counts.tolist() == [2, 3]
    assert found.mean_predicted == pytest.approx([0.1, 0.8])
    assert found.mean_true == pytest.approx([0.2, 0.7])
    assert found.calibration_error == pytest.approx(0.1)


def test_bins_weigh_as_much_as_the_objects_in_them():
    found = ev.reliability([0.1, 0.8, 0.8, 0.8], [0.5, 0.8, 0.7, 0.9])
    assert found.calibration_error == pytest.approx(0.4 / 4)


def test_a_bin_without_objects_has_no_mean_and_unknown_qualities_no_bin():
    found = ev.reliability([0.1, np.nan], [0.3, 0.9], 2)
    assert found.counts.tolist() == [1, 0]
    assert found.mean_true == pytest.approx([0.3, np.nan], nan_ok=True)
    assert found.calibration_error == pytest.approx(0.2)
    assert np.isnan(ev.reliability([np.nan], [0.5]).calibration_error)
    assert np.isnan(ev.reliability([], []).calibration_error)


@given(OBJECTS, st.integers(1, 12))
def test_bins_agree_with_a_histogram_and_an_exact_quality_is_reliable(objects, bins):
    quality, iou = objects.T
    found = ev.reliability(quality, iou, bins)
    assert found.counts.tolist() == np.histogram(quality, bins, (0, 1))[0].tolist()
    assert 0 <= found.calibration_error <= 1
    assert ev.reliability(iou, iou, bins).calibration_error == pytest.approx(0)


@pytest.mark.parametrize("bins", [0, -1])
def test_a_diagram_needs_a_bin(bins):
    with pytest.raises(ValueError, match=f"bins is {bins}"):
        ev.reliability([0.5], [0.5], bins)


def test_qualities_beyond_their_range_are_refused():
    with pytest.raises(ValueError, match=r"2 qualities .* the first is -1"):
        ev.reliability([0.5, -1, 2], [0.5, 0.5, 0.5])


def test_an_outline_deserves_the_mean_of_dice_and_iou():
    assert ev.exact_quality([0, 0.5, 1]) == pytest.approx([0, (2 / 3 + 0.5) / 2, 1])


def test_lists_of_two_lengths_are_refused():
    with pytest.raises(ValueError, match=r"\(2,\).*\(1,\)"):
        ev.auroc_bad([0.5, 0.6], [1.0])
