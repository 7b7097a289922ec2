"""``pffnet models`` with models that are not on this machine."""

import json

import imageio.v3 as iio
import numpy as np
import pytest

from napari_pffnet.cli import main


def test_models_lists_what_is_here_and_what_can_be_fetched(served, register, capsys):
    register(f"{served}/")
    assert main(["models"]) == 0
    line = next(i for i in capsys.readouterr().out.splitlines() if "specks" in i)
    assert "available" in line
    assert "Specks of dust." in line
    assert main(["models", "download", "specks"]) == 0
    assert "specks.safetensors" in capsys.readouterr().out
    assert main(["models"]) == 0
    line = next(i for i in capsys.readouterr().out.splitlines() if "specks" in i)
    assert "downloaded" in line


def test_download_shows_a_bar_unless_told_to_be_quiet(served, register, cache, capsys):
    register(f"{served}/")
    assert main(["models", "download", "specks", "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")
    (cache / "specks.safetensors").unlink()
    assert main(["models", "download", "specks"]) == 0
    assert "specks:" in capsys.readouterr().err


def test_download_of_a_model_that_is_here_tells_where(cache, capsys):
    assert main(["models", "download", "nuclei"]) == 0
    assert "nuclei.safetensors" in capsys.readouterr().out


def test_download_renews_a_file_of_another_version(served, register, cache, entry):
    register(f"{served}/")
    cache.mkdir()
    path = cache / "specks.safetensors"
    path.write_text("older")
    assert main(["models", "download", "specks", "--quiet"]) == 0
    assert path.stat().st_size == entry["size"]


def test_mistakes_end_in_one_sentence(dead, register, capsys):
    register(f"{dead}/")
    for words, said in (
        (["download", "dust"], "'dust'"),
        (["download", "specks"], "no connection"),
        (["info", "specks"], "pffnet models download"),
    ):
        assert main(["models", *words]) == 2
        error = capsys.readouterr().err.strip().splitlines()[-1]
        assert error.startswith("pffnet: ")
        assert said in error


def test_a_damaged_registry_or_model_does_not_hide_the_others(register, cache, capsys):
    register("https://example.org/").write_text("damaged")
    cache.mkdir()
    (cache / "broken.safetensors").write_text("damaged")
    assert main(["models"]) == 1
    said = capsys.readouterr()
    assert "nuclei" in said.out
    assert "registry: The registry" in said.err
    assert "broken: " in said.err


@pytest.mark.usefixtures("register_network")
def test_segment_fetches_its_model(cache, tmp_path):
    image, out = tmp_path / "image.png", tmp_path / "out"
    iio.imwrite(image, np.zeros((64, 64), np.uint8))
    words = [str(image), "--model", "specks", "--out", str(out)]
    options = ["--tile", "0", "--diameter", "28", "--format", "csv", "--no-overlay"]
    assert main(["segment", *words, *options, "--quiet"]) == 0
    assert (cache / "specks.safetensors").is_file()
    assert json.loads((out / "run.json").read_text())["images"]
