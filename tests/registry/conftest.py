"""A server on this machine that gives models, and a registry that names it."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import sys
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread, main_thread
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from napari_pffnet.config import CheckpointInfo
from napari_pffnet.files import hash_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from napari_pffnet.config import ModelConfig


class Handler(SimpleHTTPRequestHandler):
    """Gives files, but not below some addresses.

    Below ``/short/`` half of one, below ``/silent/`` none for long, below
    ``/endless/`` more and more, and below ``/interrupt/`` somebody presses Ctrl-C in
    the middle.
    """

    def do_GET(self) -> None:
        kind, _, _ = self.path.strip("/").partition("/")
        if kind == "silent":
            time.sleep(1)
        if kind == "endless":
            self.send_response(200)
            self.end_headers()
            while True:  # until the client hangs up
                self.wfile.write(b"x" * 100_000)
        if kind in ("short", "interrupt"):
            self.send_response(200)
            self.send_header("Content-Length", "5000")
            self.end_headers()
            self.wfile.write(b"x" * 2500)
            if kind == "interrupt":
                # To that thread, which would else go on waiting for the rest.
                signal.pthread_kill(main_thread().ident, signal.SIGINT)
                time.sleep(0.5)
            return
        super().do_GET()

    def log_message(self, *words: object) -> None:
        """Stay quiet."""


class Server(ThreadingHTTPServer):
    """Says nothing of clients that hang up: some tests do."""

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@pytest.fixture(scope="session")
def checkpoint(
    tiny_config: ModelConfig, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Return a checkpoint that says all that one should, and holds no network."""
    path = tmp_path_factory.mktemp("small") / "small.safetensors"
    info = CheckpointInfo(name="small", model=tiny_config).model_dump_json()
    header = {"format": "napari-pffnet", "format_version": "1", "info": info}
    save_file({"a": np.zeros(50_000, np.float32)}, path, header)
    return path


@pytest.fixture
def served(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """Serve the checkpoint as ``small-1.safetensors``; return the address."""
    folder = tmp_path / "served"
    folder.mkdir()
    shutil.copy(checkpoint, folder / "small-1.safetensors")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    handler = partial(Handler, directory=str(folder))
    with Server(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def dead(monkeypatch: pytest.MonkeyPatch) -> str:
    """Return an address at which nobody listens."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep models of the user and downloaded ones in folders of this test."""
    monkeypatch.setenv("NAPARI_PFFNET_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NAPARI_PFFNET_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("NAPARI_PFFNET_REGISTRY", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def entry(checkpoint: Path) -> dict[str, Any]:
    """What a registry says of the checkpoint, without mirrors."""
    return {
        "name": "specks",
        "file": "small-1.safetensors",
        "sha256": hash_file(checkpoint),
        "size": checkpoint.stat().st_size,
        "licence": "CC0-1.0",
        "description": "Specks of dust.",
    }


@pytest.fixture
def register(
    cache: Path, entry: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Path]:
    """Write a registry with one model at some mirrors, and make it known."""

    def write(*mirrors: str, **changes: object) -> Path:
        path = tmp_path / "registry.json"
        model = {**entry, "mirrors": mirrors, **changes}
        path.write_text(json.dumps({"format_version": 1, "models": [model]}))
        monkeypatch.setenv("NAPARI_PFFNET_REGISTRY", str(path))
        return path

    return write


@pytest.fixture
def register_network(
    served: str, register: Callable[..., Path], tiny_checkpoint: Path, tmp_path: Path
) -> None:
    """Serve the tiny model, which can be loaded, in place of the checkpoint."""
    shutil.copy(tiny_checkpoint, tmp_path / "served" / "tiny.safetensors")
    register(
        f"{served}/",
        file="tiny.safetensors",
        sha256=hash_file(tiny_checkpoint),
        size=tiny_checkpoint.stat().st_size,
    )
