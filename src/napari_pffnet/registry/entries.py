"""The registry: a JSON file that names models and says where they can be fetched.

One comes with the package.  ``NAPARI_PFFNET_REGISTRY`` names another, as a path or
an address, whose models are added.
"""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

from pydantic import Field, StringConstraints, ValidationError, field_validator

from napari_pffnet.catalog import SUFFIX, downloaded_models_dir
from napari_pffnet.config import Config, PositiveInt
from napari_pffnet.registry.web import WebError, fetch

VARIABLE = "NAPARI_PFFNET_REGISTRY"
FORMAT_VERSION = 1
_SHIPPED = Path(__file__).with_name("models.json")
_LARGEST = 1 << 24
"""Bytes of a registry on a server: of tens of thousands of models."""
_ADDRESS = r"^https?://\S+$"

# Both become names of files, on every system.
_Name = Annotated[str, StringConstraints(pattern=r"^\w([\w .+-]*\w)?$")]
_FileName = Annotated[str, StringConstraints(pattern=r"^\w[\w.+-]*\.safetensors$")]
# Some programs print it in capitals.
_Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F]{64}$", to_lower=True)]
_Address = Annotated[str, StringConstraints(pattern=_ADDRESS)]


class RegisteredModel(Config):
    """A model that can be downloaded."""

    name: _Name = Field(description="What load_model takes.")
    file: _FileName = Field(description="Name of the file at the mirrors.")
    sha256: _Sha256 = Field(description="Of the file.")
    size: PositiveInt = Field(description="Bytes of the file.")
    mirrors: tuple[_Address, ...] = Field(
        min_length=1,
        description="Tried in this order: the address of the file, or that of its "
        "folder, which ends in /.",
    )
    licence: str = "unknown"
    description: str = Field("", description="What it finds, in a sentence.")

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where the file is, the first choice first."""
        return tuple(
            mirror + quote(self.file) if mirror.endswith("/") else mirror
            for mirror in self.mirrors
        )

    @property
    def path(self) -> Path:
        """Where the file is kept on this machine."""
        return downloaded_models_dir() / f"{self.name}{SUFFIX}"


class _Registry(Config):
    """The content of a registry file."""

    format_version: int = FORMAT_VERSION
    models: tuple[RegisteredModel, ...] = ()

    @field_validator("models")
    @classmethod
    def _check_names(
        cls, models: tuple[RegisteredModel, ...]
    ) -> tuple[RegisteredModel, ...]:
        names = [model.name for model in models]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"the name {twice!r} is there twice")
        return models


def registered_models() -> dict[str, RegisteredModel]:
    """Return the models of all registries by name.

    Of equal names that of the user's own registry counts.

    Raises
    ------
    ValueError
        If a registry is not there, cannot be fetched or is damaged; the sentence
        names it.
    """
    models = {model.name: model for model in _read(str(_SHIPPED)).models}
    if own := os.environ.get(VARIABLE):
        models |= {model.name: model for model in _read(own).models}
    return models


def _read(source: str) -> _Registry:
    """Read one registry, a path or an address."""
    try:
        return _parse(_load(source))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        reason = f"{place}: {first['msg']}"
    except (WebError, ValueError) as error:
        reason = str(error)
    except OSError as error:
        reason = error.strerror or str(error)
    raise ValueError(
        f"The registry {source} cannot be used ({reason}); mend it, or unset or "
        f"change {VARIABLE}."
    )


def _load(source: str) -> bytes:
    if not source.startswith(("http://", "https://")):
        return Path(source).read_bytes()
    content = io.BytesIO()
    fetch(source, content, limit=_LARGEST)
    return content.getvalue()


def _parse(content: bytes) -> _Registry:
    """Return the content; ValueError if it is none, or too new."""
    try:
        values = json.loads(content.decode("utf-8-sig"))
    except ValueError as error:
        raise ValueError(f"it is not valid JSON: {error}") from error
    if isinstance(values, dict):
        version = values.get("format_version", FORMAT_VERSION)
        if isinstance(version, int) and version > FORMAT_VERSION:
            raise ValueError(
                f"its format {version} is newer than {FORMAT_VERSION}, so "
                "napari-pffnet must be updated to read it"
            )
    return _Registry.model_validate(values)
