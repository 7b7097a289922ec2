"""Training: a generator of typed steps, and its results on disk."""

from napari_pffnet.training.api import train
from napari_pffnet.training.data import TrainingData, load_training_data
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
    "TrainingData",
    "TrainingError",
    "TrainingResult",
    "ValidationStep",
    "load_training_data",
    "train",
    "train_iter",
]
