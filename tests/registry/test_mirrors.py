"""Models come from a real server, whole and right, or not at all."""

import shutil
import signal
import sys

import pytest

from napari_pffnet import catalog, registry
from napari_pffnet.files import hash_file
from napari_pffnet.registry import DownloadError, web
from napari_pffnet.weights import load_model


def files_in(folder) -> list[str]:
    return [path.name for path in folder.iterdir()] if folder.exists() else []


def fail(name="specks") -> str:
    """Return the one sentence with which a download fails."""
    with pytest.raises(DownloadError) as caught:
        registry.obtain(name)
    return str(caught.value)


@pytest.mark.usefixtures("register_network")
def test_a_registered_model_is_downloaded_when_it_is_loaded(cache, tiny_model):
    assert "specks" not in [m.name for m in catalog.list_models()]
    model = load_model("specks", device="cpu")
    assert model.info.model == tiny_model.info.model
    assert files_in(cache) == ["specks.safetensors"]
    found = {m.name: m.source for m in catalog.list_models()}
    assert found["specks"] == "downloaded"


def test_a_downloaded_model_needs_neither_registry_nor_network(
    served, register, cache, monkeypatch
):
    path = register(f"{served}/")
    registry.obtain("specks")
    path.write_text("damaged")
    assert registry.obtain("specks") == cache / "specks.safetensors"
    monkeypatch.delenv("NAPARI_PFFNET_REGISTRY")
    assert registry.obtain("specks") == cache / "specks.safetensors"


def test_a_mirror_is_a_folder_or_the_address_of_the_file(served, register, cache):
    register(f"{served}/small-1.safetensors?version=3")
    assert registry.obtain("specks").is_file()


def test_after_dead_and_wrong_mirrors_the_next_is_tried(
    served, dead, register, cache, entry
):
    register(f"{dead}/", f"{served}/nowhere/", f"{served}/short/", f"{served}/")
    path = registry.obtain("specks")
    assert hash_file(path) == entry["sha256"]
    assert files_in(cache) == ["specks.safetensors"]


def test_if_all_mirrors_fail_one_sentence_tells_all_and_what_to_do(
    served, dead, register, cache
):
    register(f"{dead}/", f"{served}/nowhere/")
    told = fail()
    assert f"{dead}/small-1.safetensors (no connection)" in told
    assert f"{served}/nowhere/small-1.safetensors (the server answers 404)" in told
    assert str(cache / "specks.safetensors") in told
    assert "\n" not in told
    assert files_in(cache) == []


def test_the_remedy_of_that_sentence_works(dead, register, cache, checkpoint):
    register(f"{dead}/")
    fail()
    shutil.copy(checkpoint, cache / "specks.safetensors")
    assert registry.obtain("specks") == cache / "specks.safetensors"


def test_a_file_with_another_hash_is_not_kept(served, register, cache):
    register(f"{served}/", sha256="0" * 64)
    told = fail()
    assert "the sha256 is" in told
    assert "0" * 64 in told
    assert files_in(cache) == []


def test_a_file_that_breaks_off_is_not_kept(served, register, cache, entry):
    register(f"{served}/short/")
    told = fail()
    assert "2500 bytes" in told or "the connection broke" in told
    assert files_in(cache) == []


def test_a_server_that_sends_without_end_is_given_up(served, register, cache, entry):
    register(f"{served}/endless/")
    assert f"more than the expected {entry['size']} bytes came" in fail()
    assert files_in(cache) == []
    register(f"{served}/endless/", f"{served}/")
    assert hash_file(registry.obtain("specks")) == entry["sha256"]


def test_a_silent_server_is_given_up(served, register, cache, monkeypatch):
    monkeypatch.setattr(web, "TIMEOUT_S", 0.1)
    register(f"{served}/silent/")
    assert "no answer for 0.1 seconds" in fail()
    assert files_in(cache) == []


def test_without_a_network_the_proxy_is_named(register, cache, dead, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", dead)
    monkeypatch.setenv("http_proxy", dead)
    register("http://models.invalid/")
    assert "the proxy cannot be reached" in fail()


def test_a_download_that_would_not_fit_does_not_begin(served, register, cache):
    register(f"{served}/", size=10**18)
    told = fail()
    assert "NAPARI_PFFNET_CACHE" in told
    assert "specks needs 1000000000000.0 MB" in told
    assert files_in(cache) == []


@pytest.mark.skipif(sys.platform == "win32", reason="limits are of POSIX")
def test_a_disk_that_is_full_leaves_nothing_behind(served, register, cache, entry):
    import resource

    register(f"{served}/")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (entry["size"] // 2, before[1]))
    try:
        told = fail()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert f"{cache / 'specks.safetensors'} cannot be written" in told
    assert "NAPARI_PFFNET_CACHE" in told
    assert files_in(cache) == []


def test_a_cache_that_is_no_folder_is_named(served, register, tmp_path, monkeypatch):
    register(f"{served}/")
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("NAPARI_PFFNET_CACHE", str(tmp_path / "file"))
    assert "cannot be written" in fail()


@pytest.mark.skipif(sys.platform == "win32", reason="signals are of POSIX")
def test_ctrl_c_leaves_nothing_behind(served, register, cache):
    register(f"{served}/interrupt/")
    # What a shell starts in the background does not hear Ctrl-C.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            registry.obtain("specks")
    finally:
        signal.signal(signal.SIGINT, before)
    assert files_in(cache) == []


def test_an_older_file_is_replaced_and_an_equal_one_kept(served, register, cache):
    register(f"{served}/")
    model = registry.registered_models()["specks"]
    cache.mkdir()
    model.path.write_text("older")
    registry.download(model)
    written = model.path.stat().st_mtime_ns
    assert hash_file(model.path) == model.sha256
    registry.download(model)
    assert model.path.stat().st_mtime_ns == written


def test_a_model_of_the_user_is_never_hidden_by_a_download(
    served, register, tmp_path, checkpoint
):
    register(f"{served}/")
    registry.obtain("specks")
    own = tmp_path / "home" / "specks.safetensors"
    own.parent.mkdir()
    shutil.copy(checkpoint, own)
    assert registry.obtain("specks") == own


def test_an_unknown_name_is_told_with_all_that_there_are(served, register, cache):
    register(f"{served}/")
    with pytest.raises(ValueError, match=r"'dust'.*nuclei, specks"):
        load_model("dust")
    with pytest.raises(FileNotFoundError, match="gone"):
        load_model("gone.safetensors")


def test_a_local_file_needs_no_registry(cache, checkpoint, monkeypatch, tmp_path):
    monkeypatch.setenv("NAPARI_PFFNET_REGISTRY", str(tmp_path / "missing.json"))
    assert registry.obtain(checkpoint) == checkpoint
    assert registry.obtain("nuclei") == catalog.find_model("nuclei")


def test_without_the_variable_downloads_go_to_the_cache_of_the_user(monkeypatch):
    monkeypatch.delenv("NAPARI_PFFNET_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert catalog.downloaded_models_dir().name == "models"
    assert "napari-pffnet" in catalog.downloaded_models_dir().parts
