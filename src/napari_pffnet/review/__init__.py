"""Review of segmented objects: verdicts, repairs, and files that survive a crash."""

from napari_pffnet.review.area import Marks, Rectangle, reviewed_area
from napari_pffnet.review.misses import Miss
from napari_pffnet.review.queue import (
    Filters,
    Progress,
    default_column,
    in_order,
    passes,
    sortable_columns,
)
from napari_pffnet.review.session import ReviewSession
from napari_pffnet.review.steps import Step
from napari_pffnet.review.truth import Trust, compare_with_truth

__all__ = [
    "Filters",
    "Marks",
    "Miss",
    "Progress",
    "Rectangle",
    "ReviewSession",
    "Step",
    "Trust",
    "compare_with_truth",
    "default_column",
    "in_order",
    "passes",
    "reviewed_area",
    "sortable_columns",
]
