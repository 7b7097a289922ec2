"""Models that are not part of the package: which there are, and how they come here.

The window of napari does not import this: it shows what is on disk, and nothing in
it waits for a network.
"""

from napari_pffnet.registry.entries import RegisteredModel, registered_models
from napari_pffnet.registry.mirrors import DownloadError, download, obtain

__all__ = [
    "DownloadError",
    "RegisteredModel",
    "download",
    "obtain",
    "registered_models",
]
