"""The log of a run for TensorBoard."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from torch.utils.tensorboard import SummaryWriter

    from napari_pffnet.training.steps import TrainStep, ValidationStep


def tensorboard_path(out: Path) -> Path:
    """Return the folder of the log of a run."""
    return out.with_name(f"{out.stem}.tensorboard")


class TensorBoardLog:
    """Writes every loss, the learning rate, and the scores of every set.

    Parameters
    ----------
    out
        The checkpoint beside which the folder lies.
    last_step
        What was logged of later steps is hidden: a killed run got further than its
        state.  With 0, an earlier log is removed.

    Raises
    ------
    ImportError
        If tensorboard is not installed; the sentence says how to install it.
    """

    def __init__(self, out: Path, last_step: int) -> None:
        self._writer = _open_writer(tensorboard_path(out), last_step)

    def add_step(self, step: TrainStep) -> None:
        """Write the losses of a step."""
        for name, value in {**step.losses, "total": step.total}.items():
            self._writer.add_scalar(f"loss/{name}", value, step.step)
        self._writer.add_scalar("learning rate", step.learning_rate, step.step)

    def add_validation(self, step: ValidationStep) -> None:
        """Write the scores of each set."""
        for name, scores in step.scores.items():
            self._writer.add_scalar(f"AJI/{name}", scores.aji, step.step)
            self._writer.add_scalar(f"PQ/{name}", scores.pq, step.step)

    def close(self) -> None:
        """Write what is left."""
        self._writer.close()


def _open_writer(folder: Path, last_step: int) -> SummaryWriter:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ImportError(
            "A log for TensorBoard needs tensorboard: "
            "pip install 'napari-pffnet[tensorboard]'."
        ) from error
    if last_step == 0:
        for path in folder.glob("events.out.tfevents.*"):
            path.unlink()
    return SummaryWriter(folder, purge_step=last_step + 1, flush_secs=30)
