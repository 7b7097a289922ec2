"""Training: a generator of typed steps, and its results on disk."""

from napari_pffnet.training.loop import TrainingError, train_iter
from napari_pffnet.training.steps import (
    CheckpointStep,
    SetScores,
    Step,
    TrainingResult,
    TrainStep,
    ValidationStep,
)

__all__ = [
    "CheckpointStep",
    "SetScores",
    "Step",
    "TrainStep",
    "TrainingError",
    "TrainingResult",
    "ValidationStep",
    "train_iter",
]
