"""Many images: the files, the table of all of them, and going on."""

import json
import math
import os
import sys

import imageio.v3 as iio
import numpy as np
import pandas as pd
import pytest

from napari_pffnet import segment_files
from napari_pffnet.config import OutputConfig
from napari_pffnet.folders import (
    ImageDone,
    ImageFailed,
    ImagePart,
    ImageSkipped,
    ImageStarted,
    plan_files,
    segment_files_iter,
)
from napari_pffnet.folders.summary import COLUMNS

ENDINGS = ("_labels.tif", "_semantic.tif", "_objects.csv", "_overlay.png", "_run.json")
RESUME = OutputConfig(resume=True)


def contents(folder):
    """Return the results in a folder but for the time that they took."""
    names = [path.name for path in folder.iterdir() if path.suffix != ".json"]
    found = {name: (folder / name).read_bytes() for name in names}
    found["summary.csv"] = pd.read_csv(folder / "summary.csv").drop(columns="seconds")
    found["summary.csv"] = found["summary.csv"].to_csv()
    return found


def kinds(steps):
    return [type(step) for step in steps if not isinstance(step, ImagePart)]


def test_each_image_is_started_goes_on_and_is_done(run, images):
    steps, result = run(images)
    assert kinds(steps) == [ImageStarted, ImageDone] * 3
    assert sum(isinstance(step, ImagePart) for step in steps) >= 3
    positions = [step.position for step in steps]
    assert positions == sorted(positions)
    assert positions[-1] == len(images)
    assert [record.image for record in result.records] == list(map(str, images))
    assert 0 <= result.waited <= result.seconds


def test_the_summary_tells_of_every_image_in_a_row(run, images, out):
    broken = images[1].with_name("b2.png")
    broken.write_bytes(b"no picture")
    _, result = run([*images, broken])
    table = pd.read_csv(result.summary)
    assert result.summary == out / "summary.csv"
    assert tuple(table) == COLUMNS
    assert table["image"].tolist() == [str(p) for p in (*images[:2], broken, images[2])]
    assert str(broken) in table["error"][2]
    assert math.isnan(table["objects"][2])
    row, objects = table.iloc[0], pd.read_csv(out / "a_objects.csv")
    assert row["objects"] == len(objects) > 0
    assert row["median_quality"] == pytest.approx(objects["quality"].median(), rel=1e-3)
    assert row["median_area"] == objects["area"].median()
    assert row["median_diameter"] == pytest.approx(
        np.sqrt(4 * objects["area"] / np.pi).median(), rel=1e-3
    )
    assert row["to_review"] == pytest.approx((objects["confidence"] < 0.5).mean())


def test_an_image_without_objects_has_a_row_too(run, images):
    iio.imwrite(images[0], np.full((64, 64), 7, np.uint8))
    _, result = run(images[:1])
    table = pd.read_csv(result.summary)
    assert table["objects"].tolist() == [0]
    assert table["median_quality"].isna().all()
    assert "constant" in table["notes"][0]
    assert result.worst is None


def test_the_worst_image_is_the_one_with_the_lowest_median_quality(run, images):
    _, result = run(images)
    table = pd.read_csv(result.summary)
    worst = table["image"][table["median_quality"].argmin()]
    assert result.worst.image == worst


def test_a_function_does_the_same_for_a_folder(images, out, tiny_checkpoint):
    options = {"tile": 0, "diameter": 28, "device": "cpu"}
    result = segment_files(images[0].parent, tiny_checkpoint, out=out, **options)
    assert len(result.records) == 3
    assert {path.name for path in out.glob("a_*")} == {f"a{end}" for end in ENDINGS}


# ---------------------------------------------------------------- going on


def test_what_is_done_is_skipped(run, images, out):
    run(images[:2])
    before = {path.name: path.stat().st_mtime_ns for path in out.glob("[ab]_*")}
    steps, result = run(images, RESUME)
    assert kinds(steps) == [ImageSkipped] * 2 + [ImageStarted, ImageDone]
    assert (result.skipped, len(result.records)) == (2, 3)
    after = {path.name: path.stat().st_mtime_ns for path in out.glob("[ab]_*")}
    assert after == before
    assert pd.read_csv(result.summary)["image"].tolist() == list(map(str, images))


def test_another_image_option_or_missing_file_is_done_again(run, images, out):
    run(images)
    iio.imwrite(images[0], iio.imread(images[1]))
    (out / "b_objects.csv").unlink()
    steps, _ = run(images, RESUME)
    assert kinds(steps) == [*[ImageStarted, ImageDone] * 2, ImageSkipped]
    steps, _ = run(images, RESUME, precision="float32")
    assert kinds(steps) == [ImageStarted, ImageDone] * 3
    record = json.loads((out / "c_run.json").read_text())
    assert record["options"]["precision"] == "float32"


def test_other_weights_are_another_result(run, images, out):
    run(images[:1])
    path = out / "a_run.json"
    path.write_text(
        path.read_text().replace('"model_sha256": "model"', '"model_sha256": "x"')
    )
    steps, _ = run(images[:1], RESUME)
    assert kinds(steps) == [ImageStarted, ImageDone]


def test_a_format_is_added_and_those_that_are_there_stay(run, images, out):
    run(images[:1])
    more = OutputConfig(formats=("geojson",), overlay=False, resume=True)
    steps, _ = run(images[:1], more)
    assert kinds(steps) == [ImageStarted, ImageDone]
    assert {path.name for path in out.glob("a_*")} == {
        *(f"a{end}" for end in ENDINGS), "a_objects.geojson",
    }  # fmt: skip
    # All that was ever asked for is there.
    assert kinds(run(images[:1], RESUME)[0]) == [ImageSkipped]


def test_files_of_other_options_do_not_stay_beside_new_ones(run, images, out):
    run(images[:1])
    fewer = OutputConfig(formats=("csv",), overlay=False, resume=True)
    run(images[:1], fewer, precision="float32")
    assert {path.name for path in out.glob("a_*")} == {"a_objects.csv", "a_run.json"}


def test_results_of_an_image_of_that_name_elsewhere_are_not_replaced(
    run, images, out, tmp_path
):
    run(images[:1])
    labels = (out / "a_labels.tif").read_bytes()
    other = tmp_path / "plate2" / "a.png"
    other.parent.mkdir()
    other.write_bytes(images[1].read_bytes())
    with pytest.raises(ValueError, match=r"a result of .*images.a\.png, another image"):
        run([other], RESUME)
    assert (out / "a_labels.tif").read_bytes() == labels
    # Where the image itself was moved they are its own.
    images[0].unlink()
    steps, _ = run([other], RESUME)
    assert kinds(steps) == [ImageStarted, ImageDone]


def test_files_that_are_not_ours_are_not_replaced(run, images, out):
    out.mkdir()
    (out / "b_labels.tif").write_text("precious")
    with pytest.raises(ValueError, match=r"b_labels.tif .*--overwrite"):
        run(images, RESUME)
    assert [path.name for path in out.iterdir()] == ["b_labels.tif"]
    run(images, OutputConfig(overwrite=True))
    assert (out / "b_labels.tif").read_bytes() != b"precious"


@pytest.mark.parametrize("name", ["summary.csv", "run.json"])
def test_a_table_of_another_program_is_not_replaced(run, images, out, name):
    out.mkdir()
    (out / name).write_text("[1, 2]")
    with pytest.raises(ValueError, match=rf"{name} was not written by this program"):
        run(images, RESUME)
    assert (out / name).read_text() == "[1, 2]"


def test_the_tables_are_rebuilt_from_the_records_of_the_images(run, images, out):
    run(images)
    before = contents(out)
    (out / "summary.csv").unlink()
    (out / "run.json").unlink()
    steps, _ = run(images, RESUME)
    assert kinds(steps) == [ImageSkipped] * 3
    assert contents(out) == before
    assert len(json.loads((out / "run.json").read_text())["images"]) == 3


def test_a_run_that_is_broken_off_writes_its_tables(tiny_model, images, out):
    steps = segment_files_iter(plan_files(images, out), tiny_model, "model")
    while not isinstance(next(steps), ImageDone):
        pass
    steps.close()
    assert pd.read_csv(out / "summary.csv")["image"].tolist() == [str(images[0])]
    assert len(json.loads((out / "run.json").read_text())["images"]) == 1


# ---------------------------------------------------------------- faults of images


def test_a_file_that_vanishes_and_one_that_is_cut_short_stop_nothing(
    tiny_model, images, out
):
    images[1].write_bytes(images[1].read_bytes()[:100])
    plan = plan_files(images, out)
    images[0].unlink()
    steps = list(segment_files_iter(plan, tiny_model, "model"))
    assert kinds(steps) == [ImageFailed, ImageFailed, ImageStarted, ImageDone]
    gone, short, *_ = steps
    assert str(images[0]) in gone.sentence
    assert str(images[1]) in short.sentence
    assert {path.name for path in out.glob("[ab]*")} == set()


def test_no_image_is_replaced_by_a_result_whatever_is_allowed(images):
    folder = images[0].parent
    twin = folder / "a_overlay.png"
    images[1].rename(twin)
    before = twin.read_bytes()
    with pytest.raises(ValueError, match=r"a_overlay\.png would be replaced"):
        plan_files([images[0], twin], folder, None, OutputConfig(overwrite=True))
    assert twin.read_bytes() == before


def test_another_record_or_a_renamed_one_takes_no_files_away(run, images, out):
    """What a record names is removed where no new file takes its place."""
    run(images[:2])
    record = json.loads((out / "a_run.json").read_text())
    precious = out.parent / "precious.txt"
    precious.write_text("of somebody else")
    for name in ("../precious.txt", "b_labels.tif"):
        (out / "a_run.json").write_text(json.dumps(record | {"files": [name]}))
        overwrite = OutputConfig(overwrite=True)
        run(images[:1], overwrite, precision="float32")
    assert precious.exists()
    assert (out / "b_labels.tif").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="pipes of POSIX")
def test_a_pipe_among_the_images_is_not_waited_for(run, images):
    pipe = images[0].with_name("pipe.tif")
    os.mkfifo(pipe)
    steps, result = run([pipe, images[0]])
    assert kinds(steps) == [ImageFailed, ImageStarted, ImageDone]
    assert "is no file but a pipe" in result.failures[str(pipe)]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names are text")
def test_a_name_that_is_no_text_does_not_stop_the_others(run, images, out):
    odd = images[0].with_name(os.fsdecode(b"\xff.png"))
    images[0].rename(odd)
    steps, result = run([odd, images[1]])
    assert kinds(steps) == [ImageFailed, ImageStarted, ImageDone]
    assert [*result.failures.values()] == ["Its path is no text in UTF-8; rename it."]
    table = pd.read_csv(out / "summary.csv")["image"]
    assert sorted(table) == sorted([str(images[1]), *result.failures])
