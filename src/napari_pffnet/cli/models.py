"""``pffnet models``."""

from __future__ import annotations

from cyclopts import App

from napari_pffnet.cli import console

models = App(
    name="models",
    sort_key=4,
    help="List the models that --model and --base know by name.",
)


@models.default
def list_models() -> int:
    """List bundled, downloaded and user-trained models."""
    from napari_pffnet.catalog import list_models, read_info, user_models_dir

    for entry in list_models():
        info = read_info(entry.path)
        classes = ", ".join(info.model.classes)
        console.tell(
            f"{entry.name:20} {entry.source:10} {classes}; "
            f"{info.diameter:.0f} px; {info.licence}"
        )
    console.tell(f"Checkpoints in {user_models_dir()} are found by their names.")
    return console.OK


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
    from napari_pffnet.catalog import find_model, read_info, read_stored

    path = find_model(name)
    if json:
        console.tell(read_info(path).model_dump_json(indent=2))
    else:
        console.tell(model_card(read_stored(path)))
    return console.OK
