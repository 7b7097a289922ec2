"""``pffnet models``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cyclopts import App

from napari_pffnet.cli import console

if TYPE_CHECKING:
    from pathlib import Path

    from napari_pffnet.catalog import ModelEntry
    from napari_pffnet.registry import RegisteredModel

models = App(
    name="models",
    sort_key=4,
    help="List the models that --model and --base know by name.",
)


@models.default
def list_models() -> int:
    """List bundled, downloaded and user-trained models, and those to download."""
    from napari_pffnet import catalog, registry

    failures: dict[str, str] = {}
    entries = catalog.list_models()
    for entry in entries:
        try:
            console.tell(_present(entry))
        except ValueError as error:
            failures[entry.name] = str(error)
    try:
        registered = registry.registered_models()
    except ValueError as error:
        registered, failures["registry"] = {}, str(error)
    here = {entry.name for entry in entries}
    for name, model in registered.items():
        if name not in here:
            console.tell(_available(model))
    console.tell(
        f"Checkpoints in {catalog.user_models_dir()} are found by their names."
    )
    console.tell(f"Downloaded models are kept in {catalog.downloaded_models_dir()}.")
    return console.report_failures(failures)


@models.command
def info(name: str, /, *, json: bool = False) -> int:
    """Print the card of a model: what it finds, how good it is, where it comes from.

    Parameters
    ----------
    name
        Name of a model, or path of a checkpoint.
    json
        Print all that the file says of itself, for programs.
    """
    from napari_pffnet.card import model_card
    from napari_pffnet.catalog import read_info, read_stored

    path = _find_here(name)
    if json:
        console.tell(read_info(path).model_dump_json(indent=2))
    else:
        console.tell(model_card(read_stored(path)))
    return console.OK


@models.command
def download(name: str, /, *, quiet: bool = False) -> int:
    """Fetch a model ahead, for a machine that will have no network.

    Parameters
    ----------
    name
        Name of a model that `pffnet models` lists as available.
    quiet
        No progress bar, and nothing but errors.
    """
    from napari_pffnet import catalog, registry

    known = registry.registered_models()
    if name in known and catalog.find_on_disk(name) in (None, known[name].path):
        # This also renews a file of which the registry has another version.
        path = registry.download(known[name], progress=not quiet)
    else:
        path = registry.obtain(name)
    if not quiet:
        console.tell(f"{name}: {path}")
    return console.OK


def fetch_model(name: str, *, quiet: bool) -> Path:
    """Return the file of a model for a job, with a bar if it must be downloaded."""
    from napari_pffnet.registry import obtain

    return obtain(name, progress=not quiet)


def _find_here(name: str) -> Path:
    """Return the file of a model on this machine; say how to get another one."""
    from napari_pffnet import catalog, registry

    if catalog.find_on_disk(name) is None and name in registry.registered_models():
        raise ValueError(
            f"The model {name!r} is not on this machine yet; fetch it with: "
            f"pffnet models download {name!r}"
        )
    return catalog.find_model(name)


def _present(entry: ModelEntry) -> str:
    """Return the line of a model on this machine."""
    from napari_pffnet.catalog import read_info

    info = read_info(entry.path)
    classes = ", ".join(info.model.classes)
    return (
        f"{entry.name:20} {entry.source:10} {classes}; "
        f"{info.diameter:.0f} px; {info.licence}"
    )


def _available(model: RegisteredModel) -> str:
    """Return the line of a model that can be downloaded."""
    told = [model.description, f"{model.size / 1e6:.1f} MB", model.licence]
    return f"{model.name:20} {'available':10} {'; '.join(filter(None, told))}"
