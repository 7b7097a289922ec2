"""Objects from the GeoJSON of QuPath."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from napari_pffnet.readback.objects import ReadLabels, ReadObject, fill, to_labels

if TYPE_CHECKING:
    from os import PathLike

_Ring = list[tuple[float, float]]


class _Polygon(BaseModel):
    type: Literal["Polygon"]
    coordinates: list[_Ring]


class _MultiPolygon(BaseModel):
    type: Literal["MultiPolygon"]
    coordinates: list[list[_Ring]]


class _OtherGeometry(BaseModel):
    """Points and lines: no objects with an area."""

    type: Literal["Point", "MultiPoint", "LineString", "MultiLineString"]


class _Classification(BaseModel):
    name: str = "object"


class _Measurement(BaseModel):
    """How QuPath before 0.4 wrote a measurement."""

    name: str
    value: float | None = None


class _Properties(BaseModel):
    name: str | None = None
    classification: _Classification = _Classification()
    measurements: dict[str, float | None] | list[_Measurement] = {}

    def measured(self, name: str) -> float:
        """Return a measurement, NaN where there is none."""
        values = self.measurements
        if isinstance(values, list):
            values = {item.name: item.value for item in values}
        value = values.get(name)
        return math.nan if value is None else value


class _Feature(BaseModel):
    geometry: Annotated[
        _Polygon | _MultiPolygon | _OtherGeometry, Field(discriminator="type")
    ]
    properties: _Properties | None = None


class _ImageSize(BaseModel):
    """What `export.geojson` adds, which no outline tells."""

    shape_yx: tuple[int, int]


class _Collection(BaseModel):
    features: list[_Feature]
    pffnet: _ImageSize | None = None


def read_geojson(path: str | PathLike[str]) -> ReadLabels:
    """Read the outlines, classes and measurements of a GeoJSON file.

    The size of the image is known from files of our own; else the labels end where
    the last object ends.  Points and lines are left out.

    Raises
    ------
    ValueError
        If the file is no GeoJSON with features.
    """
    adapter: TypeAdapter[_Collection | list[_Feature] | _Feature]
    adapter = TypeAdapter(_Collection | list[_Feature] | _Feature)
    try:
        content = adapter.validate_json(Path(path).read_bytes())
    except ValidationError as error:
        raise ValueError(
            f"{path} is no GeoJSON that can be read; export objects from QuPath "
            "with File > Export objects as GeoJSON."
        ) from error
    if isinstance(content, _Feature):
        content = [content]
    if isinstance(content, list):
        content = _Collection(features=content)
    objects = [
        _object(rings, feature.properties or _Properties())
        for feature in content.features
        if (rings := _rings(feature.geometry))
    ]
    shape = content.pffnet.shape_yx if content.pffnet else None
    name = Path(path).stem.removesuffix("_objects")
    return to_labels(objects, name=name, shape=shape)


def _rings(geometry: _Polygon | _MultiPolygon | _OtherGeometry) -> list[Any]:
    if isinstance(geometry, _OtherGeometry):
        return []
    is_single = isinstance(geometry, _Polygon)
    polygons = [geometry.coordinates] if is_single else geometry.coordinates
    return [np.array(ring) for polygon in polygons for ring in polygon]


def _object(rings: list[Any], properties: _Properties) -> ReadObject:
    mask, origin = fill(rings)
    name = properties.name or ""
    return ReadObject(
        mask,
        origin,
        properties.classification.name,
        score=properties.measured("score"),
        quality=properties.measured("quality"),
        number=int(name) if name.isdecimal() else None,
    )
