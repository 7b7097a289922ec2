"""Outlines as regions of interest of ImageJ."""

from __future__ import annotations

import math
import zipfile
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_pffnet.export.outlines import trace
from napari_pffnet.export.planes import planes_of
from napari_pffnet.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterator
    from os import PathLike

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from napari_pffnet.export.outlines import Piece
    from napari_pffnet.export.planes import Plane
    from napari_pffnet.instances import Instances


def write_rois(
    labels: NDArray[np.integer[Any]] | Instances,
    objects: pd.DataFrame,
    path: str | PathLike[str],
    *,
    axes: str = "",
) -> None:
    """Write painted objects as a zip of polygons for ImageJ's ROI manager.

    A region is named after its label and its confidence, ``12 c0.93``, of linked
    objects also its plane, ``12 z3 c0.93``; an object in several pieces makes several
    regions.  Holes are not written: ImageJ has
    no polygons with holes.  An unknown confidence is left out.

    Parameters
    ----------
    labels
        (Y, X) behind the axes of a stack; 0 is background.  Or the objects of one
        image, in the order of the table.
    objects
        Their table, a row for each label in rising order; of a stack with columns
        ``t``, ``z``.
    path
        ``.zip`` to write; replaced if it is there.
    axes
        T and Z, as the labels of a stack have them; every region is tied to its
        plane.

    Raises
    ------
    ImportError
        If the package roifile is missing; the sentence says how to get it.
    """
    try:
        import roifile
    except ImportError as error:
        raise ImportError(
            "ImageJ regions need the package roifile: "
            "pip install 'napari-pffnet[export]'"
        ) from error
    # Outlines of one object in several planes need names of their own.
    is_linked = bool(objects["label"].duplicated().any())
    content = BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for plane in planes_of(labels, objects, axes):
            position = _position(plane.place)
            for name, piece in _named_pieces(plane, tell_place=is_linked):
                region = roifile.ImagejRoi.frompoints(
                    piece.outer, name=name, **position
                )
                region.roitype = roifile.ROI_TYPE.POLYGON
                # Without a date, so that equal results are equal files.
                entry = zipfile.ZipInfo(f"{name}.roi")
                archive.writestr(entry, region.tobytes())
    write_atomically(Path(path), content.getvalue())


def _named_pieces(plane: Plane, *, tell_place: bool) -> Iterator[tuple[str, Piece]]:
    """Yield the pieces of all objects of a plane with their names."""
    told = "".join(f" {axis}{n}" for axis, n in plane.place.items())
    place = told if tell_place else ""
    values = zip(plane.objects["label"], plane.objects["confidence"], strict=True)
    for i, (label, confidence) in enumerate(values):
        y, x = plane.found.boxes[i, :2].tolist()
        pieces = trace(plane.found.mask(i), origin=(y, x))
        for number, piece in enumerate(pieces, 1):
            part = f" part {number}" if len(pieces) > 1 else ""
            trust = "" if math.isnan(confidence) else f" c{confidence:.2f}"
            yield f"{label}{place}{part}{trust}", piece


def _position(place: dict[str, int]) -> dict[str, int]:
    """Return where a plane lies, as ImageJ counts in a stack or in a hyperstack."""
    if len(place) == 1:
        (number,) = place.values()
        return {"position": number}
    return place
