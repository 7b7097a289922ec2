import dataclasses
import json

import imageio.v3 as imageio
import numpy as np
import pandas as pd
import pytest
import tifffile

from napari_pffnet import evaluation as ev

TRUE = np.array([[1, 1, 0, 2, 2, 0]], np.uint16)
PRED = np.array([[5, 5, 0, 0, 7, 7]], np.int32)
TABLE = pd.DataFrame(
    {"label": [7, 5], "confidence": [0.2, 0.9], "quality": [0.3, 0.8], "area": [2, 2]}
)
EMPTY = np.zeros_like(TRUE)


def test_an_image_has_every_metric():
    scores = ev.evaluate_image(TRUE, PRED, name="a")
    assert scores.name == "a"
    assert (scores.n_true, scores.n_pred, scores.count_difference) == (2, 2, 0)
    assert scores.aji == ev.aji(TRUE, PRED) == pytest.approx(3 / 5)
    assert scores.aji_plus == ev.aji_plus(TRUE, PRED)
    assert (scores.dq, scores.sq, scores.pq) == ev.panoptic_quality(TRUE, PRED)
    assert scores.f1 == ev.object_f1(TRUE, PRED) == 0.5
    assert scores.f1_coverage == ev.object_f1(TRUE, PRED, criterion="coverage")
    assert scores.ap50 == ev.ap_at(TRUE, PRED, 0.5)
    assert scores.ap75 == ev.ap_at(TRUE, PRED, 0.75)
    assert scores.ap == ev.mean_ap(TRUE, PRED)
    assert scores.dice == ev.dice(TRUE, PRED)
    assert scores.object_dice == ev.object_dice(TRUE, PRED)
    assert scores.sbd == ev.symmetric_best_dice(TRUE, PRED)
    with pytest.raises(dataclasses.FrozenInstanceError):
        scores.aji = 1


def test_two_arrays_give_a_dict_of_metrics():
    report = ev.evaluate(TRUE, PRED)
    assert report["aji"] == pytest.approx(3 / 5)
    assert report["pq"] == 0.5
    assert report["std"]["aji"] == 0
    assert (report["n_images"], report["n_true"], report["n_pred"]) == (1, 2, 2)
    assert report["quality"] is None
    assert "mpq" not in report
    assert set(report["images"][0]) >= set(report["std"])


def test_a_set_has_mean_and_standard_deviation():
    report = ev.evaluate([TRUE, TRUE], [PRED, TRUE])
    assert report["aji"] == pytest.approx((0.6 + 1) / 2)
    assert report["std"]["aji"] == pytest.approx(0.2)
    assert [image["aji"] for image in report["images"]] == pytest.approx([0.6, 1])
    assert [image["name"] for image in report["images"]] == ["0", "1"]
    stacked = ev.evaluate(np.stack([TRUE, TRUE]), np.stack([PRED, TRUE]))
    assert stacked == report


def test_images_may_have_different_sizes():
    report = ev.evaluate([TRUE, TRUE[:, :3]], [TRUE, TRUE[:, :3]])
    assert report["pq"] == 1


def test_empty_images_are_scored_1_or_0():
    report = ev.evaluate([EMPTY, EMPTY], [EMPTY, PRED])
    assert report["aji"] == 0.5
    assert report["count_difference"] == 1


def test_tables_tell_how_well_the_bad_objects_are_known():
    report = ev.evaluate([TRUE], [PRED], tables=[TABLE], worst_percent=50)
    assert report["quality"] == {
        "n_objects": 2,
        "n_bad": 1,
        "spearman": pytest.approx(1),
        "auroc_bad": 1,
        "worst_percent": 50,
        "worst_share": 1,
        "worst_share_ceiling": 1,
    }


def test_objects_are_pooled_over_the_images():
    # The bad one is less trusted than the good ones of its own image, but more
    # than that of the other.
    sure = pd.DataFrame({"label": [1, 2], "confidence": [0.1, 0.1]})
    report = ev.evaluate([TRUE, TRUE], [PRED, TRUE], tables=[TABLE, sure])
    assert report["quality"]["n_objects"] == 4
    assert report["quality"]["auroc_bad"] == pytest.approx(1 / 3)


def test_a_report_counts_what_went_wrong_over_all_images():
    report = ev.evaluate([TRUE, TRUE], [PRED, EMPTY])
    wrong = {"merged": 0, "split": 0}
    # Of the second object and its prediction a pixel of three is common.
    assert report["errors"] == {"good": 1, "poor": 1, "missed": 2, "false": 0, **wrong}
    scores = ev.evaluate_image(TRUE, PRED)
    assert ev.summarize([ev.ImageResult(scores)]).to_dict()["errors"] is None


def test_a_report_is_json_even_where_numbers_are_undefined():
    table = TABLE.drop(columns="quality")
    report = ev.evaluate(TRUE, TRUE, tables=table.assign(label=[1, 2]))
    assert report["quality"]["spearman"] is None
    assert report["quality"]["auroc_bad"] is None
    assert json.loads(json.dumps(report, allow_nan=False)) == report


def test_classes_add_mean_pq():
    report = ev.evaluate(
        TRUE, PRED, true_classes={1: 1, 2: 2}, pred_classes={5: 1, 7: 1}
    )
    assert report["bpq"] == report["pq"] == 0.5
    assert report["mpq"] == pytest.approx((2 / 3 + 0) / 2)
    report = ev.evaluate(
        [TRUE], [TRUE], true_classes=[{1: 1, 2: 2}], pred_classes=[{1: 1, 2: 2}]
    )
    assert report["mpq"] == 1


# ------------------------------------------------------------------ folders


@pytest.fixture
def folders(tmp_path):
    true, pred = tmp_path / "true", tmp_path / "pred"
    true.mkdir()
    pred.mkdir()
    imageio.imwrite(true / "a.png", TRUE)
    imageio.imwrite(true / "b.c.png", TRUE)
    tifffile.imwrite(pred / "a_labels.tif", PRED)
    tifffile.imwrite(pred / "a_semantic.tif", (PRED > 0).astype(np.uint8))
    TABLE.to_csv(pred / "a_objects.csv", index=False)
    tifffile.imwrite(pred / "b.c.tif", TRUE)
    (pred / "run.json").write_text("{}")
    return true, pred


def test_folders_are_paired_by_stem(folders):
    true, pred = folders
    report = ev.evaluate(true, str(pred))
    assert [image["name"] for image in report["images"]] == ["a", "b.c"]
    assert [image["aji"] for image in report["images"]] == pytest.approx([0.6, 1])
    assert report["quality"]["n_objects"] == 2


def test_a_labels_file_wins_over_one_of_the_same_stem(folders):
    true, pred = folders
    imageio.imwrite(pred / "a.png", EMPTY)
    pairs = ev.find_pairs(true, pred)
    assert [pair.pred.name for pair in pairs] == ["a_labels.tif", "b.c.tif"]
    assert [pair.table is not None for pair in pairs] == [True, False]


def test_a_missing_prediction_is_named(folders):
    true, pred = folders
    (pred / "a_labels.tif").unlink()
    with pytest.raises(ValueError, match=r"1 of 2 .* the first is 'a'"):
        ev.evaluate(true, pred)


def test_two_files_of_one_stem_are_refused(folders):
    true, pred = folders
    imageio.imwrite(true / "a.tif", TRUE)
    with pytest.raises(ValueError, match=r"a\.png and a\.tif"):
        ev.evaluate(true, pred)


def test_what_is_no_folder_of_labels_is_refused(folders, tmp_path):
    true, _ = folders
    with pytest.raises(ValueError, match="No label images"):
        ev.evaluate(tmp_path, true)
    with pytest.raises(ValueError, match="not a folder"):
        ev.evaluate(true, tmp_path / "nowhere")


def test_an_error_names_the_image(folders):
    true, pred = folders
    tifffile.imwrite(pred / "b.c.tif", TRUE[:, :-1])
    with pytest.raises(ValueError, match=r"Image 'b\.c': .*\(1, 6\)"):
        ev.evaluate(true, pred)


@pytest.mark.parametrize(
    ("arguments", "options", "word"),
    [
        (([TRUE, TRUE], [PRED]), {}, "2 true and 1 predicted"),
        (([TRUE], [PRED]), {"tables": [TABLE, TABLE]}, "2 tables"),
        ((TRUE, "folder"), {}, "Folders are compared with folders"),
        ((TRUE, PRED), {"tables": TABLE.drop(columns="confidence")}, "confidence"),
        ((TRUE, PRED), {"tables": TABLE[:1]}, "the first is 5"),
        ((TRUE, PRED), {"true_classes": {1: 1, 2: 1}}, "one side only"),
        (
            ([TRUE, TRUE], [TRUE, TRUE]),
            {"true_classes": {1: 1, 2: 1}, "pred_classes": {1: 1, 2: 1}},
            "1 images only",
        ),
    ],
)
def test_what_does_not_fit_is_refused(arguments, options, word):
    with pytest.raises(ValueError, match=word):
        ev.evaluate(*arguments, **options)


def test_real_labels_of_the_validation_part(shared_data):
    labels = shared_data / "bbbc039" / "val" / "labels"
    pair = ev.find_pairs(labels, labels)[0].read()
    shifted = np.roll(pair.true, 2, axis=1)
    scores = ev.evaluate_image(pair.true, shifted)
    assert 0.7 < scores.aji < 1
    assert scores.f1 > 0.9
