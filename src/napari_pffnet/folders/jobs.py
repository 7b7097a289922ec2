"""What there is to do: an image, and the files that it will become."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from napari_pffnet.config import OutputConfig
    from napari_pffnet.config.output import Format

ENDINGS: dict[Format, tuple[str, ...]] = {
    "tiff": ("_labels.tif", "_semantic.tif"),
    "zarr": ("_labels.zarr", "_semantic.zarr"),
    "csv": ("_objects.csv",),
    "parquet": ("_objects.parquet",),
    "geojson": ("_objects.geojson",),
    "coco": ("_coco.json",),
    "rois": ("_rois.zip",),
}
_PACKAGES: dict[Format, str] = {"rois": "roifile", "parquet": "pyarrow"}
OVERLAY = "_overlay.png"
PARTS = "_parts.csv"
"""Of linked objects, a row for each plane."""
RECORD = "_run.json"
ALL_ENDINGS = {
    *(end for ends in ENDINGS.values() for end in ends),
    PARTS,
    OVERLAY,
    RECORD,
}
"""Of all files that may become of an image."""


@dataclass(frozen=True, slots=True)
class Job:
    """One image to segment.

    Attributes
    ----------
    image
        File to read.
    folder
        Where the results go.
    endings
        Of the files to write, behind the image's stem; that of the record is last.
    """

    image: Path
    folder: Path
    endings: tuple[str, ...]

    @property
    def paths(self) -> list[Path]:
        """Return the files to write."""
        return [self.path(end) for end in self.endings]

    def path(self, ending: str) -> Path:
        """Return the file with an ending."""
        return self.folder / f"{self.image.stem}{ending}"


def choose_endings(output: OutputConfig) -> tuple[str, ...]:
    """Return the endings of the files that are asked for, that of the record last.

    Raises
    ------
    ValueError
        If nothing is asked for, or a format needs a package that is not installed.
    """
    if not output.formats and not output.overlay:
        raise ValueError("Nothing is to be written; choose at least one format.")
    for name, package in _PACKAGES.items():
        if name in output.formats and find_spec(package) is None:
            raise ValueError(
                f"The format {name} needs the package {package}: "
                "pip install 'napari-pffnet[export]'."
            )
    # Each once, in the order of the table above.
    chosen = [
        end for name in ENDINGS if name in output.formats for end in ENDINGS[name]
    ]
    parts = [PARTS] if output.link and output.formats else []
    return (*chosen, *parts, *([OVERLAY] if output.overlay else []), RECORD)
