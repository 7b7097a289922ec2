"""What a segmentation found before any threshold, and how it is painted anew."""

from .live import LiveObjects
from .planes import PlaneCandidates, Repainted

__all__ = ["LiveObjects", "PlaneCandidates", "Repainted"]
