"""The bundled images in File > Open Sample."""

from __future__ import annotations

from typing import Any

from napari_pffnet.sample_data import load_sample

LayerTuple = tuple[Any, dict[str, Any], str]
"""Data, options and type of a layer, as napari takes them."""


def open_fluorescence() -> list[LayerTuple]:
    """Return nuclei in fluorescence and their true labels."""
    return _layers("fluorescence")


def open_histology() -> list[LayerTuple]:
    """Return nuclei in stained tissue and their true labels."""
    return _layers("histology")


def _layers(name: str) -> list[LayerTuple]:
    sample = load_sample(name)
    metadata = {"source": sample.description}
    truth = {"name": f"{name} true labels", "metadata": metadata}
    return [
        # Hidden at first: the image is what one wants to see.
        (sample.labels, {**truth, "visible": False}, "labels"),
        (sample.image, {"name": name, "metadata": metadata}, "image"),
    ]
