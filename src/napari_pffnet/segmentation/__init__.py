"""Images to objects: ``segment`` and ``segment_iter``."""

from .large import LargeResult, segment_large_iter
from .masks import to_instances
from .planes import PlaneDone, PlanesResult, segment_planes, segment_planes_iter
from .result import SegmentationRecord, SegmentationResult, TileDone
from .run import segment, segment_iter

__all__ = [
    "LargeResult",
    "PlaneDone",
    "PlanesResult",
    "SegmentationRecord",
    "SegmentationResult",
    "TileDone",
    "segment",
    "segment_iter",
    "segment_large_iter",
    "segment_planes",
    "segment_planes_iter",
    "to_instances",
]
