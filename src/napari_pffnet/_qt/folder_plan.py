"""What a click on Segment is going to do with a folder.  Knows no Qt."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from napari_pffnet._qt.commands import changed_options, option_words
from napari_pffnet.catalog import find_model
from napari_pffnet.config import OutputConfig, SegmentConfig, Unit
from napari_pffnet.folders.inputs import IMAGE_SUFFIXES, LIST_SUFFIX, ZARR_SUFFIX
from napari_pffnet.messages import FolderRequest

if TYPE_CHECKING:
    from napari_pffnet.messages import FolderDone

_SHOWN_FAILURES = 5
_FILE_SUFFIXES = (*IMAGE_SUFFIXES, ZARR_SUFFIX, LIST_SUFFIX)


class FolderChoices(BaseModel):
    """What the user chose for a folder of images."""

    images: str = ""
    results: str = ""
    output: OutputConfig = OutputConfig(resume=True)
    channel: str = ""
    axes: str = ""
    score: Unit | None = None


def make_request(
    choices: FolderChoices, *, model: str, device: str, config: SegmentConfig
) -> FolderRequest:
    """Return what the child is asked to do.

    Raises
    ------
    ValueError
        If no images are chosen, or no folder for their results.
    """
    if not choices.images:
        raise ValueError("Choose a folder of images first.")
    channels = tuple(
        int(word) if word.isdigit() else word
        for word in (part.strip() for part in choices.channel.split(","))
        if word
    )
    changes = {
        "axes": choices.axes.strip() or None,
        "channels": channels,
        "score_threshold": choices.score,
    }
    return FolderRequest(
        inputs=(choices.images,),
        model=model,
        device=device,
        config=config.model_copy(update=changes),
        output=choices.output,
        out=choices.results or _beside(choices.images),
    )


def with_model_file(request: FolderRequest) -> FolderRequest:
    """Name the model by its file: the child may know others by name."""
    path = find_model(request.model).resolve()
    return request.model_copy(update={"model": str(path)})


def _beside(images: str) -> str:
    """Return the folder ``results`` beside images, or in their folder."""
    place = Path(images)
    folder = place if _is_folder_of_images(place) else place.parent
    if not folder.is_dir() and _is_pattern(str(folder)):
        raise ValueError("Choose a folder for the results.")
    return str(folder / "results")


def _is_folder_of_images(place: Path) -> bool:
    """Whether a path means a folder, which may not be there yet."""
    ending = place.suffix.lower()
    if place.is_dir():
        # An OME-Zarr is a folder, but one image.
        return ending != ZARR_SUFFIX
    # A dot alone makes no file: folders are named plate.1, plate.2.
    is_file = place.exists() or ending in _FILE_SUFFIXES
    return not is_file and not _is_pattern(place.name)


def _is_pattern(text: str) -> bool:
    return any(letter in text for letter in "*?[")


# ------------------------------------------------------------- without a window


def as_command(request: FolderRequest) -> str:
    """Return the line for a terminal that does the same."""
    words = ["pffnet", "segment", *request.inputs, "--out", request.out]
    words += ["--model", request.model, "--device", request.device.partition(":")[0]]
    words += option_words(changed_options(request.config))
    output = request.output
    words += ["--format", ",".join(output.formats) or "none"]
    words += ["--link", output.link] if output.link else []
    switches = {
        "--no-overlay": not output.overlay,
        "--resume": output.resume,
        "--overwrite": output.overwrite,
    }
    return shlex.join([*words, *(word for word, is_on in switches.items() if is_on)])


def as_python(request: FolderRequest) -> str:
    """Return the lines of Python that do the same."""
    arguments: dict[str, Any] = {"out": request.out, "device": request.device}
    arguments |= {**dict(request.output), **changed_options(request.config)}
    given = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
    (images,) = request.inputs
    return (
        "import napari_pffnet as pff\n\n"
        f"done = pff.segment_files({images!r}, {request.model!r}, {given})\n"
        "print(done.summary, done.failures)\n"
    )


# ---------------------------------------------------------------------- the end


def report(done: FolderDone, seconds: float) -> list[str]:
    """Say what became of the images, a sentence a line."""
    before = f", {done.skipped} of them done before" if done.skipped else ""
    lines = [
        f"{_count(done.images, 'image')}{before}, "
        f"{_count(done.objects, 'object')}, in {_time(seconds)}.",
        *(
            note if count == 1 else f"{note} ({count} images)"
            for note, count in done.notes.items()
        ),
    ]
    if done.failures:
        lines.append(f"{_count(len(done.failures), 'image')} failed:")
    shown = list(done.failures.items())[:_SHOWN_FAILURES]
    lines += [_of_file(path, why) for path, why in shown]
    more = len(done.failures) - len(shown)
    if more:
        lines.append(f"{more} more are listed in the table.")
    return [*lines, f"A row for each image: {done.summary}"]


def _of_file(path: str, why: str) -> str:
    """Return why a file failed, with its name in place of its path."""
    name = Path(path).name
    return why.replace(path, name) if path in why else f"{name}: {why}"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _time(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
