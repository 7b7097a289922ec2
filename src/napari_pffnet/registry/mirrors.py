"""A model from its mirrors to the folder of downloaded models."""

from __future__ import annotations

import logging
import os
import shutil
from typing import TYPE_CHECKING

from napari_pffnet.catalog import find_on_disk, list_models, unknown_model
from napari_pffnet.files import hash_file, whole_file
from napari_pffnet.registry.entries import RegisteredModel, registered_models
from napari_pffnet.registry.web import WebError, fetch

if TYPE_CHECKING:
    from pathlib import Path

logger = logging.getLogger("napari_pffnet")


class DownloadError(OSError):
    """A model could not be fetched; the text says why and what to do."""


def obtain(name_or_path: str | os.PathLike[str], *, progress: bool = False) -> Path:
    """Return the file of a model, and download it first if it is not here yet.

    Parameters
    ----------
    name_or_path
        Name of a bundled, user's, downloaded or registered model, or a path.  The
        registry is asked only for names that are not on this machine.
    progress
        Show a bar on standard error.

    Raises
    ------
    ValueError
        If no model has this name, or the registry cannot be read.
    FileNotFoundError
        If a path was given and no file is there.
    DownloadError
        If it cannot be fetched or kept.
    """
    path = find_on_disk(name_or_path)
    if path is not None:
        return path
    name = os.fspath(name_or_path)
    try:
        models = registered_models()
    except ValueError as error:
        raise ValueError(f"No model {name!r} is on this machine. {error}") from error
    if name not in models:
        raise unknown_model(name, {**{m.name: m for m in list_models()}, **models})
    return download(models[name], progress=progress)


def download(model: RegisteredModel, *, progress: bool = False) -> Path:
    """Fetch a model from the first mirror that has it, and return its file.

    A file that is there already and has the right hash is kept; another one is
    replaced once the new one is whole.

    Parameters
    ----------
    model
        What to fetch.
    progress
        Show a bar on standard error.

    Raises
    ------
    DownloadError
        If no mirror gives the right file, or it cannot be written.  Nothing of it
        is left then.
    """
    target = model.path
    try:
        if target.is_file() and hash_file(target) == model.sha256:
            return target
        _check_room(model)
        _fetch_from_any(model, progress=progress)
    except DownloadError:
        raise
    except OSError as error:
        raise DownloadError(
            f"{target} cannot be written ({error.strerror or error}); make room or "
            "set NAPARI_PFFNET_CACHE to another folder."
        ) from error
    return target


def _check_room(model: RegisteredModel) -> None:
    folder = model.path.parent
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < model.size:
        raise DownloadError(
            f"{model.name} needs {model.size / 1e6:.1f} MB and {folder} has room for "
            f"{free / 1e6:.1f} MB; make room or set NAPARI_PFFNET_CACHE to another "
            "folder."
        )


def _fetch_from_any(model: RegisteredModel, *, progress: bool) -> None:
    """Fetch the file from one mirror after the other until one gives it."""
    failures = []
    for url in model.addresses:
        try:
            with whole_file(model.path) as part:
                _fetch_one(model, url, part, progress=progress)
            return
        except WebError as error:
            logger.info("%s: %s", url, error)
            failures.append(f"{url} ({error})")
    raise DownloadError(
        f"The model {model.name!r} cannot be downloaded from {' or '.join(failures)}; "
        f"get {model.file} in another way and save it as {model.path}, or give its "
        "path."
    )


def _fetch_one(model: RegisteredModel, url: str, part: Path, *, progress: bool) -> None:
    """Fetch the file from one address into ``part``, and check that it is right."""
    from tqdm import tqdm

    with (
        part.open("wb") as file,
        tqdm(
            total=model.size,
            desc=model.name,
            unit="B",
            unit_scale=True,
            leave=False,
            disable=not progress,
        ) as bar,
    ):
        fetch(url, file, limit=model.size, bar=bar if progress else None)
    size = part.stat().st_size
    if size != model.size:
        raise WebError(f"{size} bytes came in place of {model.size}")
    found = hash_file(part)
    if found != model.sha256:
        raise WebError(f"the sha256 is {found} in place of {model.sha256}")
