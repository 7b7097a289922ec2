import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pandas as pd
import pytest
import tifffile
from safetensors.numpy import save_file

import napari_pffnet
from napari_pffnet.cli import main


@pytest.fixture
def segment(tmp_path, tiny_checkpoint):
    """Run ``pffnet segment`` with the untrained model; results go to ``out``."""

    def run(*words) -> int:
        out = ["--out", tmp_path / "out", "--model", tiny_checkpoint, "--tile", "0"]
        return main(["segment", *map(str, [*words, *out]), "--diameter", "28"])

    return run


# ---------------------------------------------------------------- segment


def test_segment_writes_labels_classes_table_picture_and_record(
    segment, cells, tmp_path, capsys
):
    assert segment(cells, "--score-threshold", "0.3") == 0
    out = tmp_path / "out"
    labels = tifffile.imread(out / "cells_labels.tif")
    table = pd.read_csv(out / "cells_objects.csv")
    assert labels.shape == tifffile.imread(out / "cells_semantic.tif").shape == (64, 64)
    assert labels.max() == len(table) > 0
    assert iio.imread(out / "cells_overlay.png").shape == (64, 64, 3)
    record = json.loads((out / "cells_run.json").read_text())
    assert record["objects"] == len(table)
    assert record["segmentation"]["options"]["score_threshold"] == 0.3
    assert str(out / "cells_labels.tif") in capsys.readouterr().out


def test_segment_writes_the_formats_that_are_asked_for(segment, cells, tmp_path):
    assert segment(cells, "--format", "csv", "--no-overlay", "--quiet") == 0
    names = {path.name for path in (tmp_path / "out").iterdir()}
    tables = {"run.json", "summary.csv"}
    assert names == {"cells_objects.csv", "cells_run.json", *tables}


def test_quiet_says_nothing(segment, cells, capsys):
    assert segment(cells, "--quiet") == 0
    assert capsys.readouterr() == ("", "")


def test_a_name_that_the_output_has_no_letters_for_stops_nothing(
    segment, cells, monkeypatch
):
    output = io.TextIOWrapper(io.BytesIO(), encoding="ascii", write_through=True)
    monkeypatch.setattr(sys, "stdout", output)
    named = cells.rename(cells.with_name("größe.png"))
    assert segment(named) == 0
    assert rb"gr\xf6\xdfe.png: " in output.buffer.getvalue()


def test_existing_results_are_refused_before_anything_is_computed(
    segment, cells, tmp_path, capsys
):
    table = tmp_path / "out" / "cells_objects.csv"
    table.parent.mkdir()
    table.write_text("precious")
    assert segment(cells) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert [path.name for path in table.parent.iterdir()] == [table.name]
    assert table.read_text() == "precious"
    assert segment(cells, "--overwrite") == 0
    assert table.read_text() != "precious"


def test_a_bad_file_is_reported_at_the_end_and_the_others_are_done(
    segment, cells, tmp_path, capsys
):
    broken = tmp_path / "a_broken.png"
    broken.write_bytes(b"no picture")
    assert segment(tmp_path, "--quiet") == 1
    error = capsys.readouterr().err
    assert "1 failed" in error
    assert str(broken) in error
    assert "Traceback" not in error
    out = tmp_path / "out"
    assert (out / "cells_labels.tif").exists()
    assert not (out / "a_broken_labels.tif").exists()
    done = json.loads((out / "run.json").read_text())["images"]
    assert [record["image"] for record in done] == [str(cells)]


def test_images_whose_results_would_collide_are_refused(
    segment, cells, tmp_path, capsys
):
    tifffile.imwrite(tmp_path / "cells.tif", iio.imread(cells))
    assert segment(tmp_path) == 2
    error = capsys.readouterr().err
    assert "cells.png" in error
    assert "cells.tif" in error
    assert not (tmp_path / "out").exists()


def test_patterns_and_folders_name_images_but_not_our_results(segment, cells, tmp_path):
    iio.imwrite(tmp_path / "old_overlay.png", np.zeros((8, 8), np.uint8))
    options = ("--format", "csv", "--no-overlay", "--quiet")
    assert segment(tmp_path / "c*.png", tmp_path, *options) == 0
    images = json.loads((tmp_path / "out" / "run.json").read_text())["images"]
    assert [record["image"] for record in images] == [str(cells)]


def test_a_second_run_adds_to_the_list_of_a_folder(segment, cells, tmp_path):
    options = ("--format", "csv", "--no-overlay", "--quiet")
    assert segment(cells, *options) == 0
    other = cells.rename(tmp_path / "other.png")
    assert segment(other, *options) == 0
    images = json.loads((tmp_path / "out" / "run.json").read_text())["images"]
    assert [record["image"] for record in images] == [str(cells), str(other)]


@pytest.mark.parametrize("text", ["0,1,2", "0"])
def test_channels_are_given_with_commas(segment, tmp_path, text):
    path = tmp_path / "color.png"
    iio.imwrite(path, np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8))
    assert segment(path, "--channels", text, "--quiet") == 0
    record = json.loads((tmp_path / "out" / "color_run.json").read_text())
    wanted = [int(number) for number in text.split(",")]
    assert record["segmentation"]["options"]["channels"] == wanted


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "no image to segment"),
        (["nowhere.png"], "nowhere.png"),
        (["--sample", "cat"], "fluorescence"),
        (["--sample", "histology", "--tile", "-1"], "--tile -1"),
        (["--sample", "histology", "--diameter", "big"], "--diameter big"),
        # Of such objects the image would be made billions of pixels wide.
        (["--sample", "histology", "--diameter", "1e-9"], "--diameter 1e-9"),
        (["--sample", "histology", "--format", "doc"], "'doc'"),
        (["--sample", "histology", "--threads", "-1"], "--threads -1"),
        (["--sample", "histology", "--threads", "100000"], "--threads 100000"),
        (["--sample", "histology", "--model", "elephants"], "elephants"),
        (["--sample", "histology", "--sise", "3"], "--sise"),
    ],
)
def test_mistakes_end_in_one_sentence_and_exit_code_2(words, said, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["segment", *words, "--out", str(out)]) == 2
    error = capsys.readouterr().err.strip()
    assert said in error
    assert error.startswith("pffnet: ")
    assert "\n" not in error
    assert not out.exists()


def test_a_folder_without_images_is_refused(tmp_path, capsys):
    assert main(["segment", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert "holds no image" in capsys.readouterr().err


def test_a_run_list_of_another_program_is_not_replaced(segment, cells, tmp_path):
    foreign = tmp_path / "out" / "run.json"
    foreign.parent.mkdir()
    foreign.write_text("[1, 2]")
    assert segment(cells) == 2
    assert foreign.read_text() == "[1, 2]"


# ---------------------------------------------------------------- the program


def test_the_program_tells_its_version():
    words = [sys.executable, "-c", "from napari_pffnet.cli import main; main()"]
    done = subprocess.run(
        [*words, "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == napari_pffnet.__version__


@pytest.mark.parametrize("command", ["segment", "train", "evaluate", "models"])
def test_help_describes_every_option(command, capsys):
    assert main([command, "--help"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if "--" in line]
    options = [line.strip("│* ").split() for line in lines if line.startswith("│")]
    assert all(len(words) > 2 for words in options)


# ---------------------------------------------------------------- models


def test_models_lists_the_models_of_the_user(tiny_checkpoint, monkeypatch, capsys):
    monkeypatch.setenv("NAPARI_PFFNET_HOME", str(tiny_checkpoint.parent))
    assert main(["models"]) == 0
    line = next(i for i in capsys.readouterr().out.splitlines() if "tiny" in i)
    assert "user" in line
    assert "object" in line


def test_models_info_prints_the_card_or_all_as_json(tiny_checkpoint, capsys):
    assert main(["models", "info", str(tiny_checkpoint)]) == 0
    card = capsys.readouterr().out
    assert card.startswith("tiny\n")
    assert str(tiny_checkpoint) in card
    assert main(["models", "info", str(tiny_checkpoint), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["name"] == "tiny"
    assert told["model"]["fpn_channels"] == 16


def test_a_description_that_cannot_be_read_is_not_called_an_option(tmp_path, capsys):
    path = tmp_path / "odd.safetensors"
    header = {"format": "napari-pffnet", "format_version": "1", "info": "{}"}
    save_file({"a": np.zeros(1, np.float32)}, path, header)
    assert main(["models", "info", str(path)]) == 2
    error = capsys.readouterr().err
    assert "no valid description" in error
    assert "--" not in error


# ---------------------------------------------------------------- evaluate


@pytest.fixture
def folders(tmp_path):
    """True and predicted label images: one equal, one with an object too few."""
    true, pred = tmp_path / "true", tmp_path / "pred"
    labels = np.zeros((20, 20), np.uint16)
    labels[2:8, 2:8], labels[12:18, 12:18] = 1, 2
    fewer = np.where(labels == 2, 0, labels)
    for folder, b in ((true, labels), (pred, fewer)):
        folder.mkdir()
        tifffile.imwrite(folder / "a.tif", labels)
        tifffile.imwrite(folder / "b.tif", b)
    return true, pred


def test_evaluate_prints_and_writes_the_scores(folders, tmp_path, capsys):
    report, plots = tmp_path / "report.json", tmp_path / "plots"
    words = ["--out", str(report), "--plots", str(plots)]
    assert main(["evaluate", *map(str, folders), *words]) == 0
    assert iio.imread(plots / "scores.png").ndim == 3
    told = json.loads(report.read_text())
    # PQ is 1 and 1 / (1 + 0.5).
    assert told["pq"] == pytest.approx((1 + 2 / 3) / 2)
    assert [image["name"] for image in told["images"]] == ["a", "b"]
    printed = capsys.readouterr().out
    assert "0.833" in printed
    assert "true objects" in printed
    assert main(["evaluate", *map(str, folders), "--out", str(report)]) == 2


def test_evaluate_compares_several_results(folders, tmp_path, capsys):
    true, fewer = folders
    out, plots = tmp_path / "report.json", tmp_path / "plots"
    words = ["evaluate", *map(str, (true, fewer, true)), "--plots", str(plots)]
    assert main([*words, "--out", str(out)]) == 0
    told = json.loads(out.read_text())
    assert told["results"]["pred"]["pq"] == pytest.approx((1 + 2 / 3) / 2)
    assert told["results"]["true"]["pq"] == 1
    test = next(t for t in told["paired_t_tests"] if t["metric"] == "pq")
    assert (test["first"], test["second"]) == ("pred", "true")
    # Differences 0 and 1/3: mean 1/6, t = 1; with one degree of freedom p = 1/2.
    assert test["p"] == pytest.approx(0.5)
    assert iio.imread(plots / "comparison.png").ndim == 3
    line = next(s for s in capsys.readouterr().out.splitlines() if s[:3] == "pq ")
    assert line.split() == ["pq", "0.833", "1.000", "0.5"]


def test_evaluate_tells_folders_of_one_name_apart(folders, tmp_path, capsys):
    true, pred = folders
    again = tmp_path / "new" / "pred"
    shutil.copytree(pred, again)
    assert main(["evaluate", str(true), str(pred), str(again), "--quiet"]) == 0
    said = capsys.readouterr().out
    assert f"1: {pred}, 2 images" in said
    assert f"2: {again}, 2 images" in said
    assert main(["evaluate", str(true), str(pred), str(pred)]) == 2
    assert "named twice" in capsys.readouterr().err


def test_evaluate_reports_a_pair_that_does_not_fit_and_does_the_others(folders, capsys):
    tifffile.imwrite(folders[1] / "b.tif", np.zeros((5, 5), np.uint16))
    assert main(["evaluate", *map(str, folders), "--quiet"]) == 1
    said = capsys.readouterr()
    assert "1 images" in said.out or "1 image" in said.out
    assert "b.tif" in said.err


def test_evaluate_names_a_missing_prediction(folders, capsys):
    (folders[1] / "b.tif").unlink()
    assert main(["evaluate", *map(str, folders)]) == 2
    assert "'b'" in capsys.readouterr().err


# ------------------------------------------------------------ the manual


@pytest.mark.parametrize("command", ["segment", "train", "evaluate"])
def test_the_manual_lists_the_options_of_a_command(capsys, command):
    manual = Path(__file__).parents[1] / "docs" / "cli.md"
    _, _, section = manual.read_text("utf-8").partition(f"\n## pffnet {command} ")
    table = re.findall(r"^\| `--.*?\|", section.partition("\n## ")[0], re.MULTILINE)
    listed = re.findall(r"--[a-z-]+", " ".join(table))
    main([command, "--help"])
    _, _, options = capsys.readouterr().out.partition("╭")
    assert sorted(listed) == sorted(set(re.findall(r"--[a-z-]+", options)))
