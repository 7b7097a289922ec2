"""A training without a window: a folder of files, and the line that learns from it."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_pffnet.files import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    from napari_pffnet._qt.training_data import PlanePair
    from napari_pffnet._qt.training_plan import TrainPlan

_RECIPE = "recipe.toml"


def save_folder(plan: TrainPlan, folder: Path) -> None:
    """Write the planes of a plan as images/, labels/, ..., and its options.

    Call it in a thread.

    Raises
    ------
    ValueError
        If the plan has a folder of its own too: a command takes one only.
    """
    if plan.planes and plan.folder:
        raise ValueError(
            "One command learns from one folder: choose the layers, or the folder."
        )
    write_atomically(folder / _RECIPE, _toml(plan.recipe().model_dump(mode="json")))
    for number, plane in enumerate(plan.planes):
        _save_plane(plane, folder, f"{number:03}.tif")


def as_command(plan: TrainPlan, folder: Path) -> str:
    """Return the line for a terminal that does what the window would."""
    words = ["pffnet", "train", plan.folder or str(folder), "--out"]
    words += ["trained.safetensors", "--recipe", str(folder / _RECIPE)]
    if plan.choices.model:
        words += ["--base", plan.choices.model]
    words += ["--device", plan.choices.device.partition(":")[0]]
    if plan.split_binary:
        words.append("--split-binary")
    return shlex.join(words)


def as_python(plan: TrainPlan, folder: Path) -> str:
    """Return the lines of Python that do what the window would."""
    options = {
        "out": "trained.safetensors",
        "base": plan.choices.model or None,
        "recipe": str(folder / _RECIPE),
        "device": plan.choices.device,
    }
    given = ", ".join(f"{name}={value!r}" for name, value in options.items())
    lines = ["import napari_pffnet as pff"]
    if plan.split_binary:
        lines.append("from napari_pffnet.config import DataConfig")
        given += ", data=DataConfig(split_binary=True)"
    place = plan.folder or str(folder)
    return "\n".join([*lines, "", f"result = pff.train({place!r}, {given})", ""])


def _save_plane(plane: PlanePair, folder: Path, name: str) -> None:
    import tifffile

    maps: dict[str, Any] = {"labels": plane.labels.astype(np.int32)}
    if plane.area is not None:
        maps["ignore"] = (~plane.area).astype(np.uint8)
    if plane.classes is not None:
        by_pixel = plane.classes.ndim == 2
        classes = plane.classes if by_pixel else plane.classes[plane.labels]
        maps["classes"] = classes.astype(np.uint8)
    for kind, pixels in maps.items():
        (folder / kind).mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(folder / kind / name, pixels, compression="zlib")
    (folder / "images").mkdir(parents=True, exist_ok=True)
    image = np.asarray(plane.image.data)
    axes = plane.image.axes
    tifffile.imwrite(
        folder / "images" / name,
        image,
        photometric="rgb" if "S" in axes else "minisblack",
        metadata={"axes": axes},
    )


def _toml(options: dict[str, Any]) -> bytes:
    """Return nested options as TOML; what is None is left out."""
    lines: list[str] = []

    def add(table: dict[str, Any], place: str) -> None:
        if place:
            lines.append(f"\n[{place}]")
        inner = {k: v for k, v in table.items() if isinstance(v, dict)}
        for key, value in table.items():
            # JSON writes numbers, texts, lists and booleans as TOML does.
            if key not in inner and value is not None:
                lines.append(f"{key} = {json.dumps(value)}")
        for key, value in inner.items():
            add(value, f"{place}.{key}" if place else key)

    add(options, "")
    return "\n".join([*lines, ""]).encode()
