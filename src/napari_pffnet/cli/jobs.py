"""What there is to do: an image, and the files that it will become."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

FORMATS = {
    "tiff": ("_labels.tif", "_semantic.tif"),
    "csv": ("_objects.csv",),
    "geojson": ("_objects.geojson",),
    "coco": ("_coco.json",),
    "rois": ("_rois.zip",),
}
OVERLAY = "_overlay.png"
RECORD = "_run.json"


@dataclass(frozen=True, slots=True)
class Job:
    """One image to segment.

    Attributes
    ----------
    image
        File to read.
    folder
        Where the results go.
    suffixes
        Endings of the files to write, behind the image's stem.
    """

    image: Path
    folder: Path
    suffixes: tuple[str, ...]

    @property
    def paths(self) -> list[Path]:
        """Return the files to write."""
        return [self.folder / f"{self.image.stem}{end}" for end in self.suffixes]


def parse_formats(text: str, *, overlay: bool) -> tuple[str, ...]:
    """Return the endings of the files that ``--format`` asks for.

    Raises
    ------
    ValueError
        If a format is unknown.
    ImportError
        If a format needs a package that is not installed.
    """
    names = [name.strip().lower() for name in text.split(",")]
    unknown = [name for name in names if name not in FORMATS]
    if unknown:
        raise ValueError(
            f"--format {unknown[0]!r} is unknown; "
            f"the formats are {', '.join(FORMATS)}, separated by commas."
        )
    if "rois" in names and find_spec("roifile") is None:
        raise ImportError(
            "--format rois needs the package roifile: "
            "pip install 'napari-pffnet[export]'."
        )
    # Each once, in the order of the table above.
    ends = [end for name in FORMATS if name in names for end in FORMATS[name]]
    return (*ends, *([OVERLAY] if overlay else []), RECORD)
