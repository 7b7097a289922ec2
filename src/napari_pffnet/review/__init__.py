"""Review of segmented objects: verdicts, repairs, and files that survive a crash."""

from napari_pffnet.review.area import Rectangle, reviewed_area
from napari_pffnet.review.session import ReviewSession

__all__ = ["Rectangle", "ReviewSession", "reviewed_area"]
