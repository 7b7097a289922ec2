"""Small real images that come with the package, with their true labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FOLDER = Path(__file__).parent / "samples"
_DESCRIPTIONS = {
    "fluorescence": "U2OS nuclei, Hoechst (BBBC039, CC0)",
    "histology": "purple-stained tissue (BBBC038, CC0)",
}


@dataclass(frozen=True, slots=True)
class Sample:
    """An image and what is known to be in it.

    Attributes
    ----------
    name
        As listed by :func:`sample_names`.
    description
        What it shows, its source and its licence.
    image
        (Y, X) uint16 or (Y, X, 3) uint8, raw intensities.
    labels
        (Y, X) int32; 0 is background, every other number one object.
    """

    name: str
    description: str
    image: NDArray[Any]
    labels: NDArray[Any]


def sample_names() -> tuple[str, ...]:
    """Return the names of the bundled images."""
    return tuple(_DESCRIPTIONS)


def sample_path(name: str) -> Path:
    """Return where the bundled image ``name`` lies on disk.

    Raises
    ------
    ValueError
        If there is no such sample.
    """
    if name not in _DESCRIPTIONS:
        raise ValueError(
            f"There is no sample {name!r}; the samples are {', '.join(sample_names())}."
        )
    return _FOLDER / f"{name}.png"


def load_sample(name: str) -> Sample:
    """Read a bundled image and its true labels.

    Raises
    ------
    ValueError
        If there is no such sample.

    Examples
    --------
    >>> load_sample("histology").image.shape
    (256, 320, 3)
    """
    import imageio.v3 as iio

    path = sample_path(name)
    labels = iio.imread(path.with_name(f"{name}_labels.png"))
    return Sample(name, _DESCRIPTIONS[name], iio.imread(path), labels.astype("int32"))
