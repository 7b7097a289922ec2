"""What the window of napari and its child process say to each other.

One message is one line of JSON.  Arrays never travel in it: they lie in files that
both sides map into memory, and a message carries their path.  Nothing here loads
torch or Qt.
"""

from __future__ import annotations

import traceback
from traceback import walk_tb
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from napari_pffnet.config import (
    DataConfig,
    OutputConfig,
    Recipe,
    Region,
    SegmentConfig,
)

_LACK_OF_MEMORY = (
    # Of GPUs, where torch has no type for it: of Apple's, and of CUDA's libraries.
    "out of memory",
    "_STATUS_ALLOC_FAILED",
    # Of CPUs: Linux and macOS, Windows, C++.
    "allocate memory",
    "not enough memory",
    "bad_alloc",
    # Of oneDNN, which computes convolutions.
    "could not create a primitive",
    "could not create a memory object",
)


class Message(BaseModel):
    """Base of all messages: frozen, and unknown names are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ArrayFile(Message):
    """An array that lies in a file of the window's private folder."""

    path: str
    kind: Literal["npy", "pickle"] = Field(
        "npy", description="pickle: a lazy array (dask, zarr), read piece by piece."
    )


class ImageRef(Message):
    """An image layer."""

    array: ArrayFile
    axes: str = Field(description="A letter for each axis: T, Z, Y, X, C, S.")
    channel_names: tuple[str, ...] = ()
    pixel_size_um: float | None = None
    name: str = ""


class TrainingPair(Message):
    """An image layer with its labels, in one plane."""

    image: ImageRef
    labels: ArrayFile
    ignore: ArrayFile | None = None
    classes: ArrayFile | None = Field(
        None, description="(N + 1,) class of each label, or a class map (Y, X)."
    )


# ----------------------------------------------------------------- requests


class DescribeDevices(Message):
    """Tell which devices there are."""

    kind: Literal["devices"] = "devices"


class SegmentRequest(Message):
    """Segment an image, or a part of it, plane by plane."""

    kind: Literal["segment"] = "segment"
    image: ImageRef
    region: Region | None = None
    model: str
    device: str = "auto"
    config: SegmentConfig = SegmentConfig()
    out: str = Field(description="Folder for the arrays of the result.")


class FolderRequest(Message):
    """Segment image files, and write the results into a folder."""

    kind: Literal["folder"] = "folder"
    inputs: tuple[str, ...] = Field(description="Files, folders, patterns, lists.")
    model: str
    device: str = "auto"
    config: SegmentConfig = SegmentConfig()
    output: OutputConfig = OutputConfig()
    out: str = Field(description="Folder for the results.")


class TrainRequest(Message):
    """Train or fine-tune a model."""

    kind: Literal["train"] = "train"
    pairs: tuple[TrainingPair, ...] = ()
    folder: str | None = None
    base: str | None = None
    recipe: Recipe
    data: DataConfig = DataConfig()
    device: str = "auto"
    out: str = Field(description="Checkpoint to write.")


class Cancel(Message):
    """Stop the running job between two steps; its result is not wanted."""

    kind: Literal["cancel"] = "cancel"


class Finish(Message):
    """Stop a training between two steps and keep its best weights."""

    kind: Literal["finish"] = "finish"


Request = DescribeDevices | SegmentRequest | FolderRequest | TrainRequest


class Envelope(Message):
    """A request, and the number by which its answers are known."""

    job: int
    request: Annotated[Request | Cancel | Finish, Field(discriminator="kind")]


# ------------------------------------------------------------------ answers


class Device(Message):
    """A device that the network can run on."""

    name: str = Field(description="What load_model takes: cpu, cuda:0, mps.")
    title: str = Field(description="What a person calls it.")


class Devices(Message):
    """The devices of this machine, the one that auto takes first."""

    kind: Literal["devices"] = "devices"
    devices: tuple[Device, ...]
    why_no_gpu: str = Field("", description="A sentence; empty where a GPU is used.")


class Progress(Message):
    """How far a job is."""

    kind: Literal["progress"] = "progress"
    done: int
    total: int
    text: str = ""


class SegmentDone(Message):
    """A segmentation is complete; the arrays lie in the folder of the request."""

    kind: Literal["segmented"] = "segmented"
    record: dict[str, Any]
    notes: tuple[str, ...] = ()


class FolderDone(Message):
    """All images of a folder were segmented, or have failed."""

    kind: Literal["folder done"] = "folder done"
    images: int = Field(description="That have results, those of earlier runs too.")
    skipped: int = Field(description="Of them, those of earlier runs.")
    objects: int
    failures: dict[str, str] = Field(description="Why an image failed, by its path.")
    notes: dict[str, int] = Field(description="With the number of images.")
    summary: str = Field(description="The table of all images.")
    worst: str = Field("", description="Image of the lowest quality; empty: none.")


class LossStep(Message):
    """One training step is done."""

    kind: Literal["loss"] = "loss"
    step: int
    steps: int
    losses: dict[str, float]
    total: float
    learning_rate: float
    seconds: float


class ScoreStep(Message):
    """The network was validated; step 0 is the base model before any training."""

    kind: Literal["score"] = "score"
    step: int
    aji: float
    pq: float
    score_threshold: float
    is_best: bool
    preview: ArrayFile | None = Field(
        None,
        description="(3, Y, X) int32: prediction, truth, the image as 0xRRGGBB.",
    )

    @property
    def agreement(self) -> float:
        """The number that decides which weights are best, 0 to 1."""
        return (self.aji + self.pq) / 2


class TrainDone(Message):
    """A training has ended, and its best weights are written."""

    kind: Literal["trained"] = "trained"
    path: str
    steps: int
    best_step: int
    seconds: float
    is_held_out: bool = Field(
        True, description="Whether it was scored on what it did not learn from."
    )
    notes: tuple[str, ...] = ()


class Stopped(Message):
    """A job was cancelled."""

    kind: Literal["stopped"] = "stopped"


class Failed(Message):
    """A job has failed."""

    kind: Literal["failed"] = "failed"
    sentence: str = Field(description="What happened and what to do.")
    details: str = Field("", description="The traceback, for a report.")
    is_refusal: bool = Field(
        False, description="What was asked for cannot be done; nothing has broken."
    )


Result = Devices | SegmentDone | FolderDone | TrainDone
RESULTS = (Devices, SegmentDone, FolderDone, TrainDone)
"""What a job ends with that neither failed nor was cancelled."""
LAST = (*RESULTS, Stopped, Failed)
"""What a job ends with."""
Body = Result | Progress | LossStep | ScoreStep | Stopped | Failed


class Answer(Message):
    """An answer to the request of a job."""

    job: int
    body: Annotated[Body, Field(discriminator="kind")]


def explain(error: BaseException) -> Failed:
    """Say what went wrong, while its traceback is at hand."""
    details = "".join(traceback.format_exception(error))
    return Failed(
        sentence=_sentence(error), details=details, is_refusal=_is_refusal(error)
    )


def tells_lack_of_memory(text: str) -> bool:
    """Say whether the text of a library's error means that memory ended."""
    return any(words in text for words in _LACK_OF_MEMORY)


def _is_refusal(error: BaseException) -> bool:
    """Tell an error that our own code raises for the user from a library's surprise."""
    frames = [frame for frame, _ in walk_tb(error.__traceback__)]
    module = frames[-1].f_globals.get("__name__", "") if frames else ""
    is_ours = module.partition(".")[0] == "napari_pffnet"
    return is_ours and isinstance(error, ValueError | OSError)


def _sentence(error: BaseException) -> str:
    text = str(error).strip()
    if isinstance(error, MemoryError) or tells_lack_of_memory(text):
        return (
            "The memory did not suffice. Close other programs, or take a smaller "
            "part of the image, then try again."
        )
    if isinstance(error, ImportError):
        return f"A library cannot be loaded ({text}). Install napari-pffnet anew."
    if isinstance(error, OSError) and error.strerror:
        place = f": {error.filename}" if error.filename else ""
        return f"{error.strerror}{place}."
    if isinstance(error, ValueError | OSError) and text:
        return text
    return (
        f"Something unexpected happened ({type(error).__name__}: {text}). "
        "Please report it with the details."
    )


def read_line(line: bytes | str) -> Envelope | Answer:
    """Return the message of one line.

    Raises
    ------
    ValueError
        If the line is no message.
    """
    adapter: TypeAdapter[Envelope | Answer] = TypeAdapter(Envelope | Answer)
    return adapter.validate_json(line)


def write_line(message: Envelope | Answer) -> bytes:
    """Return a message as one line of UTF-8, its end included."""
    return message.model_dump_json().encode() + b"\n"
