"""Outlines as GeoJSON that QuPath reads."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_pffnet.export.outlines import Piece, trace
from napari_pffnet.export.planes import Plane, planes_of
from napari_pffnet.files import write_atomically

if TYPE_CHECKING:
    from os import PathLike

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from napari_pffnet.instances import Instances

_MEASUREMENTS = ("score", "quality", "confidence", "area")


def write_geojson(
    labels: NDArray[np.integer[Any]] | Instances,
    objects: pd.DataFrame,
    path: str | PathLike[str],
    *,
    axes: str = "",
) -> None:
    """Write painted objects as detections for QuPath.

    Outlines run along the edges of the pixels, in pixels from the corner of the
    image, so that areas in QuPath are the areas in the table.  A member ``pffnet``
    keeps the size of the image, which no outline tells.

    Parameters
    ----------
    labels
        (Y, X) behind the axes of a stack; 0 is background.  Or the objects of one
        image, in the order of the table.
    objects
        Their table, a row for each label in rising order; of a stack with columns
        ``t``, ``z``.
    path
        File to write; replaced if it is there.
    axes
        T and Z, as the labels of a stack have them.
    """
    collection = {
        "type": "FeatureCollection",
        "features": [
            feature
            for plane in planes_of(labels, objects, axes)
            for feature in _features(plane)
        ],
        "pffnet": {"shape_yx": list(labels.shape[-2:])},
    }
    write_atomically(Path(path), json.dumps(collection).encode())


def _features(plane: Plane) -> list[dict[str, Any]]:
    """Describe the objects of one plane."""
    rows = plane.objects.to_dict("records")
    origins = plane.found.boxes[:, :2].tolist()
    # QuPath counts from 0 too; channel -1 is all of them.
    place = {"c": -1, "z": 0, "t": 0} | plane.place if plane.place else None
    return [
        _feature(trace(plane.found.mask(i), origin=(y, x)), row, place)
        for i, ((y, x), row) in enumerate(zip(origins, rows, strict=True))
    ]


def _feature(
    pieces: list[Piece], row: dict[Any, Any], place: dict[str, int] | None
) -> dict[str, Any]:
    """Describe one object, and the plane of a stack in which it lies."""
    # JSON knows no NaN: an unknown quality is left out.
    values = {name: float(row[name]) for name in _MEASUREMENTS}
    return {
        "type": "Feature",
        "geometry": _geometry(pieces) | ({"plane": place} if place else {}),
        "properties": {
            "objectType": "detection",
            "name": str(row["label"]),
            "classification": {"name": str(row["class"])},
            "measurements": {k: v for k, v in values.items() if math.isfinite(v)},
        },
    }


def _geometry(pieces: list[Piece]) -> dict[str, Any]:
    """Return a Polygon, or a MultiPolygon for an object in several pieces."""
    polygons = [
        [[*ring.tolist(), ring[0].tolist()] for ring in (piece.outer, *piece.holes)]
        for piece in pieces
    ]
    if len(polygons) == 1:
        return {"type": "Polygon", "coordinates": polygons[0]}
    return {"type": "MultiPolygon", "coordinates": polygons}
