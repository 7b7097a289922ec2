"""The card of a model, of checkpoints that say much and that say little."""

import dataclasses
import json
from pathlib import Path

import pytest

from napari_pffnet.card import model_card
from napari_pffnet.catalog import find_model, read_stored
from napari_pffnet.files import hash_file
from napari_pffnet.provenance import DataSource
from napari_pffnet.weights import load_model, save_checkpoint, write_tensors

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture
def nuclei():
    """The bundled model."""
    return read_stored(find_model("nuclei"))


def with_info(stored, **changes):
    return dataclasses.replace(stored, info=stored.info.model_copy(update=changes))


def row(card: str, name: str) -> str:
    return next(
        i for i in card.splitlines() if i.split()[: len(name.split())] == name.split()
    )


def test_the_card_tells_which_objects_are_enlarged(nuclei):
    sizes = {"least_diameter": 21.0, "magnified_diameter": 33.0}
    ranges = {"diameter_range": (4.0, 120.0), "diameter": 27.0}
    words = " ".join(model_card(with_info(nuclei, **sizes, **ranges)).split())
    assert "21 to 80 pixels across, mostly 27" in words
    assert "by rescaling the image, smaller ones to 33 " in words


def test_the_card_tells_what_is_found_and_with_which_network(nuclei):
    card = model_card(nuclei)
    assert card.startswith("nuclei\n")
    assert "nucleus" in row(card, "classes")
    assert "pixels across, mostly" in row(card, "object sizes")
    assert f"{nuclei.parameters / 1e6:.1f} million" in row(card, "parameters")
    assert "resnet18" in row(card, "architecture")
    assert "percentiles 1 and 99.8" in row(card, "normalisation")
    assert "score at least 0." in row(card, "thresholds")
    assert "the best after" in row(card, "steps")


def test_the_card_tells_which_file_it_is_of(nuclei):
    card = model_card(nuclei)
    assert row(card, "sha256").split()[1] == hash_file(nuclei.path)
    assert row(card, "of the weights").split()[3] == nuclei.weights_sha256
    assert str(nuclei.path) in card
    assert f"({nuclei.path.stat().st_size} bytes)" in row(card, "size")
    assert "torch" in row(card, "written by")


def test_the_card_tells_where_the_images_are_from(nuclei):
    source = DataSource(
        name="somewhere",
        what="Nuclei of newts",
        source="https://doi.org/10.1000/182",
        licence="CC-BY-4.0",
        images=1234,
    )
    told = with_info(nuclei, description="Nuclei of newts.", data=(source,))
    card = model_card(told)
    assert card.splitlines()[1] == "Nuclei of newts."
    assert "1,234 images to learn from; licence CC-BY-4.0" in row(card, "somewhere")
    assert "https://doi.org/10.1000/182" in card
    assert "not recorded" not in card


def test_the_card_shows_the_scores_of_the_release_and_its_quality(nuclei):
    scores = json.loads((DOCS / "models" / "nuclei.json").read_text("utf-8"))
    card = model_card(with_info(nuclei, data=(), scores=scores))
    name, found = next(iter(scores.items()))
    start = [name, str(found["n_images"]), f"{found['aji']:.3f}", f"{found['pq']:.3f}"]
    scored, quality = (i for i in card.splitlines() if i.split()[:1] == [name])
    assert scored.split()[:4] == start
    bad, every = found["quality"]["n_bad"], found["quality"]["n_objects"]
    assert f"{bad} / {every}" in quality
    assert f"{found['quality']['spearman']:.3f} (" in quality


def test_scores_that_are_missing_leave_a_dash(nuclei):
    scores = {"a": {"n_images": 1, "aji": None, "pq": 0.5, "quality": {"n_bad": 0}}}
    card = model_card(with_info(nuclei, scores=scores))
    scored, quality = (i for i in card.splitlines() if i.split()[:1] == ["a"])
    assert scored.split() == ["a", "1", "-", "0.500"]
    assert "0 / -" in quality


def test_a_checkpoint_of_old_loads_and_is_told_as_far_as_it_goes(tiny_model, tmp_path):
    path = tmp_path / "old.safetensors"
    info = tiny_model.info.model_dump(mode="json")
    for name in ("description", "data", "scores"):
        del info[name]
    tensors = tiny_model.network.state_dict()
    write_tensors(path, tensors, {"info": json.dumps(info)})
    assert load_model(path, device="cpu").info == tiny_model.info
    card = model_card(read_stored(path))
    assert row(card, "classes").split()[1] == "object"
    assert "origin          not recorded in this file" in card
    assert "Scores" not in card
    assert "None" not in card


def test_a_foreign_training_record_does_not_harm(tiny_model, tmp_path):
    record = {"best_scores": {"pearson": 0.3}, "recipe": None, "seconds": 7300}
    info = tiny_model.info.model_copy(update={"training": record})
    save_checkpoint(tmp_path / "m.safetensors", tiny_model.network, info)
    card = model_card(read_stored(tmp_path / "m.safetensors"))
    assert "2.0 hours on unknown" in row(card, "time")
    assert "Scores" not in card


def test_the_card_fits_a_narrow_window(nuclei):
    scores = json.loads((DOCS / "models" / "nuclei.json").read_text("utf-8"))
    told = with_info(nuclei, scores=scores, description="word " * 60)
    lines = model_card(told).splitlines()
    assert max(len(i) for i in lines if "/" not in i) <= 88
