"""What a click on Train is going to do, and what becomes of its model.  No Qt."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from pydantic import BaseModel, Field

from napari_pffnet._qt.training_data import class_names_of
from napari_pffnet.catalog import SUFFIX, find_model, list_models, user_models_dir
from napari_pffnet.config import (
    SMALL,
    AugmentConfig,
    DataConfig,
    ModelConfig,
    Recipe,
    TrainConfig,
)
from napari_pffnet.files import write_atomically
from napari_pffnet.messages import TrainRequest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from napari_pffnet._qt.training_checks import Choice, Trouble
    from napari_pffnet._qt.training_data import PairSource, PlanePair
    from napari_pffnet.config import CheckpointInfo
    from napari_pffnet.messages import ScoreStep

GENTLE = TrainConfig(
    batch_size=2,
    learning_rate=1e-4,
    validation_images=4,
    validation_size=512,
    rehearsal=0.25,
    augment=AugmentConfig(invert=0.1, color=0.2),
)
"""Of fine-tuning on a computer without a GPU."""
_VALIDATIONS = 8
"""So often a run is scored, the base model not counted."""
_UNFIT = re.compile(r'[<>:"/\\|?*\x00-\x1f]')


class TrainChoices(BaseModel):
    """What the user chose in the Train widget, apart from layers."""

    model: str = "nuclei"
    device: str = "auto"
    steps: int = Field(100, gt=0)
    folder: str = ""
    train: TrainConfig = GENTLE
    seconds_per_step: float = Field(0.0, ge=0)


@dataclass(frozen=True, slots=True)
class TrainPlan:
    """One training, with all that was decided at its start.

    Attributes
    ----------
    planes
        What is learnt from.
    folder
        Of further images and labels, or "".
    split_binary
        Whether masks in the folder are split.
    choices
        Model, device and options.
    base
        What the model to start from says of itself; None: from scratch.
    class_names
        Classes to learn; empty: one kind of object.
    """

    planes: tuple[PlanePair, ...]
    folder: str
    split_binary: bool
    choices: TrainChoices
    base: CheckpointInfo | None
    class_names: tuple[str, ...] = ()

    def write(self, folder: Path) -> TrainRequest:
        """Write the layers for the child; not in the GUI thread."""
        choices = self.choices
        return TrainRequest(
            pairs=tuple(
                plane.write(folder, f"{number:03}")
                for number, plane in enumerate(self.planes)
            ),
            folder=self.folder or None,
            # The child may know other models by name.
            base=str(find_model(choices.model).resolve()) if choices.model else None,
            recipe=self.recipe(),
            data=DataConfig(split_binary=self.split_binary),
            device=choices.device,
            out=str(folder / f"trained{SUFFIX}"),
        )

    def recipe(self) -> Recipe:
        """Return all options of the training."""
        steps = self.choices.steps
        train = self.choices.train.model_copy(
            update={
                "iterations": steps,
                "rehearsal": self.choices.train.rehearsal if self.base else 0.0,
                "warmup": min(steps // 5, 20 if self.base else 200),
                "validate_every": max(steps // _VALIDATIONS, 1),
            }
        )
        classes = classes_to_learn(self.class_names, self.base)
        model = ModelConfig.model_validate({**SMALL, "classes": classes})
        return Recipe(name="trained", model=model, train=train)


@dataclass(frozen=True, slots=True)
class TrainDraft:
    """A plan, and what the user should see before it is begun.

    Attributes
    ----------
    plan
        With the repairs that were chosen.
    troubles
        All that was found, also what is repaired.
    chosen
        Of these, what is repaired.
    """

    plan: TrainPlan
    troubles: tuple[Trouble, ...]
    chosen: frozenset[Choice]

    def is_open(self, seen: Iterable[Trouble]) -> bool:
        """Whether something is new to the user, or cannot be learnt as it is."""
        known = {trouble.key for trouble in seen}
        return any(
            trouble.key not in known
            or (trouble.blocks and trouble.key not in self.chosen)
            for trouble in self.troubles
        )


def draft(
    sources: Sequence[PairSource],
    choices: TrainChoices,
    base: CheckpointInfo | None,
    chosen: frozenset[Choice],
) -> TrainDraft:
    """Read and check what a training would learn from; call it in a thread.

    Parameters
    ----------
    sources
        Pairs of layers.
    choices
        Its folder is checked too.
    base
        What the model to start from says of itself; None: from scratch.
    chosen
        Troubles whose repair the user wants.
    """
    # Here, as what reads images takes long to load: a widget has to open quickly.
    from napari_pffnet._qt.training_checks import (
        Choice,
        check_pairs,
        check_training_folder,
    )
    from napari_pffnet.data.checks import Problem
    from napari_pffnet.data.prepare import ReadRules

    known = () if base is None else base.model.classes
    has_classes = any(source.classes is not None for source in sources)
    names = class_names_of(sources, known) if has_classes else []
    checked = check_pairs(sources, chosen, class_names=names)
    troubles = checked.troubles
    split = False
    if choices.folder:
        key = Choice(choices.folder, Problem.BINARY.value)
        split = key in chosen
        model = ModelConfig() if base is None else base.model
        troubles += check_training_folder(choices.folder, ReadRules(model=model))
    plan = TrainPlan(checked.planes, choices.folder, split, choices, base, tuple(names))
    return TrainDraft(plan, troubles, chosen)


def classes_to_learn(
    named: Sequence[str], base: CheckpointInfo | None
) -> tuple[str, ...]:
    """Return the classes of the new model: those that are named, else a single one."""
    if named:
        return tuple(named)
    known = () if base is None else base.model.classes
    return known if len(known) == 1 else ("object",)


# ------------------------------------------------------------- the new model


def move_aside(path: Path) -> Path:
    """Move a model out of the folder of its job; return where it waits.

    It waits for the user's decision, in a file of its own: those of other windows
    wait there, too.
    """
    now = f"{datetime.now():%Y-%m-%d %H-%M-%S-%f}"
    target = _undecided_dir() / f"{path.stem} {now}{path.suffix}"
    write_atomically(target, path.read_bytes())
    return target


def left_over() -> str:
    """Say which models of earlier trainings still wait, and what to do; "" for none."""
    names = sorted(path.name for path in _undecided_dir().glob(f"*{SUFFIX}"))
    if not names:
        return ""
    return (
        f"Trained, and neither kept nor discarded: {', '.join(names)} in "
        f"{_undecided_dir()}. Unless another window still asks what shall become of "
        "it, move the file one folder up to keep it, or delete it."
    )


def _undecided_dir() -> Path:
    return user_models_dir() / "undecided"


def keep_model(path: Path, name: str, before: ScoreStep | None) -> Path:
    """Put a model under a name into the user's models; call it in a thread.

    Parameters
    ----------
    path
        Where it waits; removed.
    name
        As `checked_name` returned it.
    before
        Scores of the base model, for the record.

    Returns
    -------
    Path
        The model of that name.
    """
    content = path.read_bytes()
    # A safetensors file begins with the length of its header, which is JSON.
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    info = json.loads(header["__metadata__"]["info"])
    info["name"] = name
    if before is not None:
        scores = {"val": {"aji": before.aji, "pq": before.pq}}
        info["training"]["base_scores"] = scores
    header["__metadata__"]["info"] = json.dumps(info)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    parts = (len(text).to_bytes(8, "little"), text, memoryview(content)[8 + size :])
    target = user_models_dir() / f"{name}{SUFFIX}"
    write_atomically(target, b"".join(parts))
    # Another window may have told of it, and somebody moved it since.
    path.unlink(missing_ok=True)
    return target


def checked_name(text: str) -> str:
    """Return the name of a new model.

    Raises
    ------
    ValueError
        If it cannot be one, or is taken.
    """
    name = text.strip()
    if not name or _UNFIT.search(name) or name.startswith("."):
        raise ValueError(
            f"{text!r} cannot be the name of a model; use letters, digits, spaces and "
            "dashes."
        )
    if name.lower() in {entry.name.lower() for entry in list_models()}:
        raise ValueError(f"There is a model {name!r} already; give another name.")
    return name


def free_name(wanted: str) -> str:
    """Return a name like ``wanted`` that no model has."""
    stem = _UNFIT.sub(" ", wanted).strip(" .") or "my model"
    taken = {entry.name.lower() for entry in list_models()}
    numbers = (f"{stem} {number}" for number in range(2, 10_000))
    return next(name for name in (stem, *numbers) if name.lower() not in taken)
