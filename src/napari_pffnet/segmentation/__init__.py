"""Images to objects: ``segment`` and ``segment_iter``."""

from .inference import to_instances
from .result import SegmentationRecord, SegmentationResult, TileDone
from .run import segment, segment_iter

__all__ = [
    "SegmentationRecord",
    "SegmentationResult",
    "TileDone",
    "segment",
    "segment_iter",
    "to_instances",
]
