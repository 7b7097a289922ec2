"""The model that stays loaded between jobs."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

from napari_pffnet.catalog import find_model

if TYPE_CHECKING:
    from pathlib import Path

    from napari_pffnet.weights import Model

_Key = tuple["Path", int, str]


class KeptModel:
    """The model that was used last, so that the next job starts at once."""

    def __init__(self) -> None:
        self._key: _Key | None = None
        self._model: Model | None = None

    def get(self, name_or_path: str, device: str) -> Model:
        """Return a model as `load_model` does; the last one is not loaded again.

        A file that was changed since is.
        """
        # A torch that cannot be loaded fails the job that needs it, not us.
        from napari_pffnet.weights import load_model, resolve_device

        path = find_model(name_or_path)
        key = (path, path.stat().st_mtime_ns, str(resolve_device(device)))
        if self._model is None or key != self._key:
            self.drop()
            self._model = load_model(path, device=device)
            self._key = key
        return self._model

    def drop(self) -> None:
        """Forget the model."""
        self._key = self._model = None
        gc.collect()
