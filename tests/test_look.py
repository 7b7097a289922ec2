"""The script that draws what a model does best and worst."""

import importlib
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest

from napari_pffnet.data.readers import read_image, read_labels

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture
def look(monkeypatch):
    monkeypatch.syspath_prepend(DOCS)
    return importlib.import_module("look")


@pytest.fixture
def results(look):
    return importlib.import_module("look_results")


@pytest.fixture
def pictures(look):
    return importlib.import_module("look_pictures")


@pytest.fixture
def data(tmp_path):
    """Three images of ``val/``: with two squares, with stripes in colour, and empty."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "data" / "val"
    for number in range(3):
        labels = np.zeros((120, 130), np.uint16)
        if number < 2:
            labels[20:40, 20:40], labels[20:40, 40:60] = 1, 2
        image = np.where(labels > 0, 200, 20) + rng.integers(0, 20, labels.shape)
        pixels = np.stack([image] * 3, -1) if number == 1 else image
        for kind, array in (("images", pixels.astype(np.uint8)), ("labels", labels)):
            path = folder / kind / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            iio.imwrite(path, array)
    return folder


def merged(results, name, image, truth):
    """Return an image whose objects are all found as one."""
    found = (truth > 0).astype(np.int32)
    values = np.full(found.max(), 0.9)
    return results.compared(name, image, truth, results.Found(found, values, values))


def test_a_set_becomes_pictures_and_a_part_of_the_page(look, results, data, tmp_path):
    images = [
        merged(
            results,
            path.stem,
            read_image(path).array,
            read_labels(data / "labels" / path.name),
        )
        for path in sorted((data / "images").iterdir())
    ]
    part = "\n".join(look.draw_set("bbbc039", images, tmp_path / "out"))
    drawn = {path.name for path in (tmp_path / "out").iterdir()}
    assert drawn == {
        f"bbbc039_{name}.png"
        for name in ("best", "median", "worst1", "errors", "reliability")
    }
    assert all(f"({{folder}}/{name})" in part for name in drawn)
    assert "| 0 | 4 | 0 | 0 | 0 | 4 | 0 |" in part
    assert "CC0" in part
    sizes = [path.stat().st_size for path in (tmp_path / "out").iterdir()]
    assert max(sizes) <= 300_000


def test_an_image_is_segmented_once(results, data, tiny_model, tmp_path, monkeypatch):
    first = results.look_at_set(data, tiny_model, tmp_path / "kept", 1)
    monkeypatch.delattr("napari_pffnet.segment")
    again = results.look_at_set(data, tiny_model, tmp_path / "kept", 1)
    assert [image.name for image in first] == [image.name for image in again] == ["0"]
    np.testing.assert_array_equal(first[0].found, again[0].found)
    other = tiny_model.info.model_copy(update={"diameter": 99.0})
    assert results.fingerprint(tiny_model) != results.fingerprint(
        type(tiny_model)(tiny_model.network, other, tiny_model.device)
    )


def test_the_window_is_where_the_errors_are(results, pictures):
    truth = np.zeros((500, 600), np.int32)
    truth[10:40, 10:40], truth[400:430, 500:530], truth[400:430, 530:560] = 1, 2, 3
    found = np.where(truth == 3, 2, truth)
    values = np.full(2, 0.9)
    whole = results.compared("a", truth, truth, results.Found(found, values, values))
    rows, columns = pictures.worst_window(whole).slices
    assert set(np.unique(truth[rows, columns])) == {0, 2, 3}


def test_an_outline_has_the_colour_of_its_object_and_a_dark_rim(pictures):
    labels = np.zeros((8, 8), np.int32)
    labels[2:6, 2:6] = 7
    white = np.full((8, 8, 3), 255, np.uint8)
    colors = np.array([(1, 2, 3)], np.uint8)
    drawn = pictures.outlined(white, labels, np.array([7]), colors, 3)
    assert drawn.shape == (24, 24, 3)
    assert drawn[6, 10].tolist() == [1, 2, 3]
    assert drawn[5, 10].tolist() == [0, 0, 0]
    assert drawn[0, 0].tolist() == drawn[12, 12].tolist() == [255, 255, 255]


def test_what_may_not_be_passed_on_stays_out_of_the_checkout(look, tmp_path):
    look.check_place(["bbbc039", "dsb2018"], look.PICTURES)
    look.check_place(["monuseg_kumar30"], tmp_path)
    for folder in (look.PICTURES, DOCS / "elsewhere", DOCS / ".." / "runs"):
        with pytest.raises(ValueError, match=r"monuseg_kumar30 .* its pictures"):
            look.check_place(["dsb2018", "monuseg_kumar30"], folder)


def test_only_what_lies_between_the_marks_is_written_anew(look, tmp_path):
    page = tmp_path / "models" / "page.md"
    page.parent.mkdir()
    page.write_text(f"# Title\n\n{look.BEGIN}\n\nold\n\n{look.END}\n\nEnd.\n")
    look.write_page(["![A]({folder}/a.png)"], page, tmp_path / "images" / "val")
    text = page.read_text()
    assert text.startswith(f"# Title\n\n{look.BEGIN}\n\n![A](../images/val/a.png)")
    assert text.endswith(f"{look.END}\n\nEnd.\n")
    assert "old" not in text
    page.write_text("# Title\n")
    with pytest.raises(ValueError, match="lacks the line"):
        look.write_page([], page, tmp_path)


def test_the_page_has_the_marks(look):
    text = look.PAGE.read_text("utf-8")
    assert text.index(look.BEGIN) < text.index(look.END)
