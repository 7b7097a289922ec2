"""What a training run tells while it runs, and what it returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class TrainStep:
    """One optimizer step is done.

    Attributes
    ----------
    step, steps
        Number of this step, from 1, and of all steps of the run.
    losses
        Named losses, already weighted, mean over the accumulated passes.
    total
        Their sum.
    learning_rate
        Of this step.
    seconds
        Time trained so far, earlier parts of a resumed run included.
    """

    step: int
    steps: int
    losses: Mapping[str, float]
    total: float
    learning_rate: float
    seconds: float


@dataclass(frozen=True, slots=True)
class SetScores:
    """Mean scores over the validated images of one set, each in [0, 1]."""

    aji: float
    pq: float
    images: int


@dataclass(frozen=True, slots=True)
class ValidationStep:
    """The network was validated on whole images.

    Attributes
    ----------
    step
        Step after which it happened.
    scores
        Scores of each set by its name.
    score
        Mean of AJI and PQ over the sets: what decides which weights are best.
    score_threshold
        The lowest classification score, beta, that gave them.
    is_best
        Whether no earlier validation of this run scored higher.
    seconds
        As in :class:`TrainStep`.
    example
        What was found in the first validated image, (Y, X).
    """

    step: int
    scores: Mapping[str, SetScores]
    score: float
    score_threshold: float
    is_best: bool
    seconds: float
    example: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class CheckpointStep:
    """A checkpoint was written."""

    step: int
    path: Path
    is_best: bool


Step = TrainStep | ValidationStep | CheckpointStep


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """Outcome of a training run.

    Attributes
    ----------
    path
        Checkpoint of the best weights (of the last without validation).
    last_path
        Checkpoint of the last weights, unless only the best were asked for.
    steps
        Steps done.
    best_step
        Step of the best weights.
    best_scores
        Scores of the best weights by set; empty without validation.
    stopped_early
        Whether the scores had stopped rising for ``patience`` validations.
    seconds
        Time trained, earlier parts of a resumed run included.
    """

    path: Path
    last_path: Path
    steps: int
    best_step: int
    best_scores: Mapping[str, SetScores]
    stopped_early: bool
    seconds: float
