"""How much memory there is, and how its end shows."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import torch

from napari_pffnet.messages import tells_lack_of_memory

if TYPE_CHECKING:
    from collections.abc import Iterator

# Where Linux tells which limits a process is under, and what they are.
_OWN_GROUPS = Path("/proc/self/cgroup")
_GROUPS = Path("/sys/fs/cgroup")
# Limit, use, and the line of memory.stat with what is given back when it is needed.
_NAMES = ("memory.max", "memory.current", "inactive_file")
_NAMES_V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")

# Of one plane: labels, two copies while they are painted, and classes.
_BYTES_A_PIXEL = 14
# Planes are painted one by one: labels, a copy that is linked or written, and classes
# before and after that.
_BYTES_A_PIXEL_OF_STACKS = 11


def free_memory(device: torch.device | None = None) -> int:
    """Return how many bytes a device has free; by default the computer.

    On Linux no more than the limits of a container or of a batch job leave.
    """
    if device is not None and device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return max(0, min([int(psutil.virtual_memory().available), *_left_by_limits()]))


def check_labels_fit(
    planes: int,
    shape_yx: tuple[int, int],
    *,
    remedy: str = "use fewer planes at a time, or a smaller crop",
) -> None:
    """Refuse what would end the memory when its labels are painted.

    Parameters
    ----------
    planes
        How many there are.
    shape_yx
        Rows and columns of a plane.
    remedy
        What the user can do.

    Raises
    ------
    ValueError
        If the labels of all planes do not fit.
    """
    pixels = planes * math.prod(shape_yx)
    each = _BYTES_A_PIXEL if planes == 1 else _BYTES_A_PIXEL_OF_STACKS
    needed, free = pixels * each, free_memory()
    if needed > free:
        raise ValueError(
            f"The labels of {pixels / 1e6:,.0f} megapixels need about "
            f"{needed / 1e9:.1f} GB of memory and {free / 1e9:.1f} GB are free; "
            f"{remedy}."
        )


def is_out_of_memory(error: Exception) -> bool:
    """Say whether an error means that memory ended, on whatever device.

    torch has a type of its own for that on some of them only.
    """
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and tells_lack_of_memory(str(error))


def _left_by_limits() -> list[int]:
    """Return what each control group leaves that this process is in."""
    return [
        left
        for folder, names in _memory_groups()
        if (left := _left_in(folder, *names)) is not None
    ]


def _memory_groups() -> Iterator[tuple[Path, tuple[str, str, str]]]:
    """Yield the folders of the groups, from the innermost out, and what to read."""
    try:
        lines = _OWN_GROUPS.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, place = line.split(":", 2)
        if not controllers:
            names, root = _NAMES, _GROUPS
        elif "memory" in controllers.split(","):
            names, root = _NAMES_V1, _GROUPS / "memory"
        else:
            continue
        innermost = root / place.lstrip("/")
        # In a container the outer folders do not exist, and its own is the root.
        for folder in (innermost, *innermost.parents):
            if folder.is_relative_to(root):
                yield folder, names


def _left_in(folder: Path, limit: str, used: str, cached: str) -> int | None:
    """Return what a group leaves; None if it has no limit or cannot be read."""
    try:
        most = (folder / limit).read_text().strip()
        now = int((folder / used).read_text())
        stat = (folder / "memory.stat").read_text().splitlines()
    except OSError:
        return None
    if most == "max":
        return None
    kept = dict(line.split() for line in stat)
    return int(most) - now + int(kept.get(cached, 0))
