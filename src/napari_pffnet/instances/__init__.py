"""Objects of one image: boxes, cropped masks, classes, scores and qualities.

Masks live cropped to their windows and end to end in one array, so that memory
and time go with the sum of the windows and never with objects x image.
Coordinates are continuous: pixel i covers [i, i + 1), its centre is i + 0.5.
"""

from .masks import Instances, Painted
from .table import label_extents, measured_columns, object_columns
from .visible import Rows, VisibleObjects

__all__ = [
    "Instances",
    "Painted",
    "Rows",
    "VisibleObjects",
    "label_extents",
    "measured_columns",
    "object_columns",
]
