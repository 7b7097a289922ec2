"""Registries, whole and damaged, from the disk and from a server."""

import json
import shutil

import pytest

from napari_pffnet.registry import registered_models


@pytest.fixture
def broken(register, tmp_path):
    """Return the sentence that a registry of this content leads to."""

    def read(content: str) -> str:
        path = register("https://example.org/")
        path.write_text(content)
        with pytest.raises(ValueError, match="NAPARI_PFFNET_REGISTRY") as caught:
            registered_models()
        assert str(path) in str(caught.value)
        return str(caught.value)

    return read


def test_the_shipped_registry_is_valid(cache):
    assert all(model.addresses for model in registered_models().values())


def test_the_models_of_an_own_registry_are_added(register, entry):
    register("https://example.org/models/", sha256=entry["sha256"].upper())
    model = registered_models()["specks"]
    assert model.addresses == ("https://example.org/models/small-1.safetensors",)
    assert model.sha256 == entry["sha256"]
    assert (model.licence, model.description) == ("CC0-1.0", "Specks of dust.")


def test_a_registry_may_lie_on_a_server(served, register, tmp_path, monkeypatch):
    path = register(f"{served}/")
    shutil.move(path, tmp_path / "served" / "registry.json")
    monkeypatch.setenv("NAPARI_PFFNET_REGISTRY", f"{served}/registry.json")
    assert "specks" in registered_models()


def test_a_registry_that_is_not_there_is_named(served, dead, cache, monkeypatch):
    for source, reason in (
        ("/nowhere/models.json", "No such file"),
        (f"{served}/no.json", "the server answers 404"),
        (f"{dead}/models.json", "no connection"),
    ):
        monkeypatch.setenv("NAPARI_PFFNET_REGISTRY", source)
        with pytest.raises(ValueError, match=reason) as caught:
            registered_models()
        assert source in str(caught.value)


def test_a_registry_without_end_is_given_up(served, cache, monkeypatch):
    monkeypatch.setenv("NAPARI_PFFNET_REGISTRY", f"{served}/endless/registry.json")
    with pytest.raises(ValueError, match="more than the expected 16777216 bytes came"):
        registered_models()


def test_a_damaged_registry_is_named_with_its_fault(broken):
    assert "not valid JSON" in broken('{"models": [')
    assert "models.0.file: Field required" in broken('{"models": [{"name": "a"}]}')
    assert "should be a valid dictionary" in broken("[]")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("name", "../evil"),
        ("name", ""),
        ("file", "../evil.safetensors"),
        ("file", "weights.pt"),
        ("sha256", "abc"),
        ("size", 0),
        ("mirrors", []),
        ("mirrors", ["file:///etc"]),
        ("colour", "red"),
    ],
)
def test_a_wrong_value_is_named(broken, entry, name, value):
    model = {**entry, "mirrors": ["https://example.org/"], name: value}
    assert f"models.0.{name}" in broken(json.dumps({"models": [model]}))


def test_a_name_that_is_there_twice_is_refused(broken, entry):
    model = {**entry, "mirrors": ["https://example.org/"]}
    assert "'specks' is there twice" in broken(json.dumps({"models": [model, model]}))


def test_a_newer_registry_says_to_update(broken):
    assert "must be updated" in broken('{"format_version": 2, "moddels": 1}')
