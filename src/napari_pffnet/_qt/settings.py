"""What the user chose last, kept between sessions of napari."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any, TypeVar

from platformdirs import user_config_path
from pydantic import BaseModel, ValidationError

from napari_pffnet.files import write_atomically

logger = logging.getLogger("napari_pffnet")
Choices = TypeVar("Choices", bound=BaseModel)


def settings_path() -> Path:
    """Return the file of the choices; NAPARI_PFFNET_SETTINGS overrides it."""
    chosen = os.environ.get("NAPARI_PFFNET_SETTINGS")
    if chosen:
        return Path(chosen)
    return user_config_path("napari-pffnet", appauthor=False) / "settings.json"


def read_choices(widget: str, kind: type[Choices]) -> Choices:
    """Return what was chosen in a widget, or the defaults.

    Parameters
    ----------
    widget
        Its name, e.g. ``"segment"``.
    kind
        The pydantic model of its choices; every field has a default.
    """
    try:
        return kind.model_validate(_read_all().get(widget, {}))
    except ValidationError as error:
        # Of another version: the user loses a choice, not the widget.
        logger.info("The choices of %s were not understood: %s", widget, error)
        return kind()


def write_choices(widget: str, choices: BaseModel) -> None:
    """Keep what was chosen in a widget; a folder that is read-only is no error."""
    everything = _read_all() | {widget: choices.model_dump(mode="json")}
    try:
        write_atomically(settings_path(), json.dumps(everything, indent=2).encode())
    except OSError as error:
        logger.warning("The choices of %s were not kept: %s", widget, error)


def _read_all() -> dict[str, Any]:
    try:
        everything = json.loads(settings_path().read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return everything if isinstance(everything, dict) else {}
