"""Outlines as regions of interest of ImageJ."""

from __future__ import annotations

import math
import zipfile
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_pffnet.export.outlines import trace
from napari_pffnet.files import write_atomically
from napari_pffnet.instances import Instances

if TYPE_CHECKING:
    from os import PathLike

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray


def write_rois(
    labels: NDArray[np.integer[Any]],
    objects: pd.DataFrame,
    path: str | PathLike[str],
) -> None:
    """Write painted objects as a zip of polygons for ImageJ's ROI manager.

    A region is named after its label and its confidence, ``12 c0.93``; an object
    in several pieces makes several regions.  Holes are not written: ImageJ has
    no polygons with holes.  An unknown confidence is left out.

    Parameters
    ----------
    labels
        (Y, X); 0 is background.
    objects
        Their table, a row for each label in rising order.
    path
        ``.zip`` to write; replaced if it is there.

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
    found = Instances.from_labels(labels)
    content = BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        values = zip(objects["label"], objects["confidence"], strict=True)
        for i, (label, confidence) in enumerate(values):
            y, x = found.boxes[i, :2].tolist()
            pieces = trace(found.mask(i), origin=(y, x))
            for number, piece in enumerate(pieces, 1):
                part = f" part {number}" if len(pieces) > 1 else ""
                trust = "" if math.isnan(confidence) else f" c{confidence:.2f}"
                name = f"{label}{part}{trust}"
                region = roifile.ImagejRoi.frompoints(piece.outer, name=name)
                region.roitype = roifile.ROI_TYPE.POLYGON
                # Without a date, so that equal results are equal files.
                entry = zipfile.ZipInfo(f"{name}.roi")
                archive.writestr(entry, region.tobytes())
    write_atomically(Path(path), content.getvalue())
