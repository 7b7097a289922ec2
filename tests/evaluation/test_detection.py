import contextlib
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_pffnet.evaluation import IOU_RANGE, average_precision
from napari_pffnet.instances import Instances

SHAPE = (24, 24)


def squares(*corners, side=4):
    """Label image with one square an upper left corner."""
    labels = np.zeros(SHAPE, int)
    for number, (y, x) in enumerate(corners, 1):
        labels[y : y + side, x : x + side] = number
    return labels


def detections(*objects):
    """Candidates (y0, x0, y1, x1, score[, class]); they may overlap."""
    parts = [Instances.empty(SHAPE)]
    for y0, x0, y1, x1, score, *rest in objects:
        labels = np.zeros(SHAPE, int)
        labels[y0:y1, x0:x1] = 1
        parts.append(Instances.from_labels(labels, rest or [1], [score]))
    return Instances.concat(parts)


# ------------------------------------------------------------------ by hand


def test_a_false_positive_between_two_hits():
    # Precision 1, 1/2, 2/3 at recall 1/2, 1/2, 1; interpolated 1 and 2/3.
    truth = squares((0, 0), (10, 10))
    found = detections((0, 0, 4, 4, 0.9), (0, 10, 4, 14, 0.8), (10, 10, 14, 14, 0.7))
    assert average_precision([truth], [found]) == pytest.approx(0.5 + 0.5 * 2 / 3)
    # 51 of the 101 recalls are at most 0.5.
    coco = average_precision([truth], [found], style="coco")
    assert coco == pytest.approx((51 + 50 * 2 / 3) / 101)


def test_a_missed_object_costs_its_recall():
    truth = squares((0, 0), (10, 10))
    assert average_precision([truth], [detections((0, 0, 4, 4, 0.9))]) == 0.5


def test_a_second_detection_of_one_object_is_wrong():
    truth, double = squares((0, 0)), detections((0, 0, 4, 4, 0.3), (0, 0, 4, 4, 0.9))
    assert average_precision([truth], [double]) == 1
    # Now the weaker of the two comes before the other object's detection.
    truth = squares((0, 0), (10, 10))
    found = detections((0, 0, 4, 4, 0.9), (0, 0, 4, 4, 0.8), (10, 10, 14, 14, 0.7))
    assert average_precision([truth], [found]) == pytest.approx(0.5 + 0.5 * 2 / 3)


def test_of_two_objects_it_takes_the_better_one_and_of_equal_ones_the_last():
    # The first candidate lies across both objects; the other must remain free.
    truth = squares((0, 0), (0, 4))
    for x0, second in (
        (1, (0, 4, 4, 8, 0.5)),
        (2, (0, 0, 4, 4, 0.5)),
        (3, (0, 0, 4, 4, 0.5)),
    ):
        found = detections((0, x0, 4, x0 + 4, 0.9), second)
        assert average_precision([truth], [found], iou=0.1) == 1


def test_images_are_pooled_by_confidence():
    truth = squares((0, 0))
    wrong_and_sure = detections((10, 10, 14, 14, 0.9))
    right = detections((0, 0, 4, 4, 0.5))
    ap = average_precision([truth, truth], [right, wrong_and_sure])
    assert ap == pytest.approx(0.5 * 0.5)


def test_confidence_is_score_times_quality():
    truth = squares((0, 0))
    labels = squares((0, 0), (10, 10))
    found = Instances.from_labels(labels, None, [0.8, 0.9], [0.9, 0.1])
    assert average_precision([truth], [found]) == 1


def test_the_mean_over_ious():
    # IoU 12/16: a hit at 0.5 to 0.75, six thresholds of ten.
    truth, found = squares((0, 0)), detections((0, 0, 3, 4, 0.9))
    assert average_precision([truth], [found], iou=0.75) == 1
    assert average_precision([truth], [found], iou=0.8) == 0
    assert average_precision([truth], [found], iou=IOU_RANGE) == pytest.approx(0.6)


def test_only_objects_of_one_class_match():
    truth = squares((0, 0), (10, 10))
    found = detections((0, 0, 4, 4, 0.9, 1), (10, 10, 14, 14, 0.8, 1))
    classes = [{1: 1, 2: 2}]
    assert average_precision([truth], [found]) == 1
    assert average_precision([truth], [found], true_classes=classes) == 0.5


@pytest.mark.parametrize("style", ["voc", "coco"])
def test_nothing_and_something(style):
    empty, nothing = np.zeros(SHAPE, int), Instances.empty(SHAPE)
    something = detections((0, 0, 4, 4, 0.9))
    assert average_precision([empty], [nothing], style=style) == 1
    assert average_precision([], [], style=style) == 1
    assert average_precision([empty], [something], style=style) == 0
    assert average_precision([squares((0, 0))], [nothing], style=style) == 0


@pytest.mark.parametrize(
    ("labels", "options", "word"),
    [
        ([np.zeros(SHAPE, int)] * 2, {}, "2 label images"),
        ([np.zeros((3, 3), int)], {}, r"\(3, 3\)"),
        ([np.zeros(SHAPE)], {}, "float64"),
        ([np.zeros(SHAPE, int)], {"style": "exact"}, "exact"),
        ([np.zeros(SHAPE, int)], {"iou": [0.5, 0.0]}, "iou"),
        ([np.zeros(SHAPE, int)], {"true_classes": []}, "0 sets of classes"),
    ],
)
def test_what_does_not_fit_is_refused(labels, options, word):
    with pytest.raises(ValueError, match=word):
        average_precision(labels, [Instances.empty(SHAPE)], **options)


# ------------------------------------------------------------------ by COCO's own code


def full_masks(found):
    for i, (y0, x0, y1, x1) in enumerate(found.boxes):
        mask = np.zeros(SHAPE, np.uint8, order="F")
        mask[y0:y1, x0:x1] = found.mask(i)
        yield mask


def coco_average_precision(images, ious):
    """Evaluate (labels, classes, detections) an image with pycocotools."""
    coco = pytest.importorskip("pycocotools.coco")
    cocoeval = pytest.importorskip("pycocotools.cocoeval")
    encode = pytest.importorskip("pycocotools.mask").encode
    truths, results = [], []
    for image, (labels, classes, found) in enumerate(images):
        for label in np.unique(labels[labels > 0]):
            mask = np.asfortranarray(labels == label, np.uint8)
            truths.append(
                {"id": len(truths) + 1, "image_id": image, "segmentation": encode(mask),
                 "category_id": classes[label], "iscrowd": 0, "area": int(mask.sum())}
            )  # fmt: skip
        results += [
            {"image_id": image, "category_id": int(class_id),
             "score": float(score), "segmentation": encode(mask)}
            for mask, class_id, score in zip(
                full_masks(found), found.class_ids, found.confidences, strict=True
            )
        ]  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()):
        true = coco.COCO()
        true.dataset = {
            "info": {},
            "images": [
                {"id": i, "height": SHAPE[0], "width": SHAPE[1]}
                for i in range(len(images))
            ],
            "categories": [{"id": 1}, {"id": 2}],
            "annotations": truths,
        }
        true.createIndex()
        judge = cocoeval.COCOeval(true, true.loadRes(results), "segm")
        judge.params.iouThrs = np.array(ious)
        judge.params.maxDets = [10_000]
        judge.params.areaRng, judge.params.areaRngLbl = [[0, 1e10]], ["all"]
        judge.evaluate()
        judge.accumulate()
    precision = judge.eval["precision"]
    return float(precision[precision > -1].mean())


PLACES = st.tuples(st.integers(0, 18), st.integers(0, 18), st.integers(3, 6))
THRESHOLDS = [(0.1, 0.3), (0.5,), IOU_RANGE]
SCORE = st.sampled_from([0.125, 0.25, 0.5, 0.75, 1.0])
FOUND = st.tuples(PLACES, SCORE, st.integers(1, 2))


@st.composite
def image(draw):
    """Draw true squares and candidates near some of them, of two classes."""
    labels = np.zeros(SHAPE, int)
    for number, (y, x, side) in enumerate(draw(st.lists(PLACES, max_size=5)), 1):
        labels[y : y + side, x : x + side] = number
    objects = [
        (y, x, y + side, x + side, score, class_id)
        for (y, x, side), score, class_id in draw(st.lists(FOUND, max_size=5))
    ]
    near = Instances.from_labels(
        np.roll(labels, draw(st.integers(0, 1)), axis=1),
        draw(st.integers(1, 2)) * np.ones(len(np.unique(labels[labels > 0]))),
        draw(SCORE) * np.ones(len(np.unique(labels[labels > 0]))),
    )
    classes = {label: 1 + label % 2 for label in range(1, 6)}
    return labels, classes, Instances.concat([near, detections(*objects)])


@settings(max_examples=150)
@given(st.lists(image(), min_size=1, max_size=3), st.sampled_from(THRESHOLDS))
def test_coco_style_agrees_with_pycocotools(images, ious):
    labels, classes, found = zip(*images, strict=True)
    if any(one.any() for one in labels) and any(len(one) for one in found):
        expected = coco_average_precision(images, ious)
        ours = average_precision(
            labels, found, style="coco", iou=ious, true_classes=classes
        )
        assert ours == pytest.approx(expected, abs=1e-9)


@given(st.lists(image(), min_size=1, max_size=3))
def test_voc_is_close_to_coco_and_perfect_when_perfect(images):
    labels, _, found = zip(*images, strict=True)
    voc = average_precision(labels, found)
    assert abs(voc - average_precision(labels, found, style="coco")) < 0.02
    perfect = [Instances.from_labels(one) for one in labels]
    assert average_precision(labels, perfect, iou=1.0) == pytest.approx(1)
