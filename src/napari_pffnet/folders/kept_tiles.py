"""Finished tiles of a large image, from which a run that was killed goes on."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_pffnet.files import write_atomically
from napari_pffnet.folders.outputs import explained
from napari_pffnet.instances import Instances
from napari_pffnet.segmentation.semantic import ClassPatch
from napari_pffnet.segmentation.tiles import TileFound

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from napari_pffnet.segmentation.objects import Finder, Plan

_PLAN = "plan.json"


@dataclass(frozen=True, slots=True)
class KeptTiles:
    """The tiles of one image.

    Attributes
    ----------
    folder
        Where they are; made when the first is kept.
    asked
        What decides how they come out, beside the plan: tiles that were kept for
        anything else are thrown away.
    """

    folder: Path
    asked: str

    def wrap(self, find: Finder) -> Finder:
        """Return what finds only those tiles that are not kept, and keeps these."""

        def kept_or_found(
            plan: Plan, numbers: Sequence[int]
        ) -> Iterator[tuple[int, TileFound]]:
            with explained(self.folder.parent):
                self._begin(plan)
            missing = []
            for number in numbers:
                found = self._read(number, plan)
                if found is None:
                    missing.append(number)
                else:
                    yield number, found
            if not missing:
                return
            for number, found in find(plan, missing):
                # What holds nothing is found as soon as it would be read.
                if found.classes is not None or len(found.whole) + len(found.cut):
                    with explained(self.folder.parent):
                        self._write(number, found)
                yield number, found

        return kept_or_found

    def remove(self) -> None:
        """Throw all tiles away."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _begin(self, plan: Plan) -> None:
        """Throw away what was kept for another plan."""
        key = {"asked": self.asked, "plan": _digest(plan)}
        path = self.folder / _PLAN
        if not path.exists() or json.loads(path.read_bytes()) != key:
            self.remove()
            write_atomically(path, json.dumps(key).encode())

    def _path(self, number: int) -> Path:
        return self.folder / f"{number}.npz"

    def _write(self, number: int, found: TileFound) -> None:
        content = io.BytesIO()
        arrays = _packed("whole", found.whole) | _packed("cut", found.cut)
        arrays["extent"] = np.array(found.extent)
        if found.classes is not None:
            rows, columns = found.classes.place
            arrays["place"] = np.array(
                [rows.start, rows.stop, columns.start, columns.stop]
            )
            arrays["classes"] = found.classes.pixels
        np.savez_compressed(content, **arrays)
        write_atomically(self._path(number), content.getvalue())

    def _read(self, number: int, plan: Plan) -> TileFound | None:
        path = self._path(number)
        if not path.exists():
            return None
        with np.load(path) as arrays:
            shape = plan.scaled.plane.shape
            classes = None
            if "classes" in arrays:
                y0, y1, x0, x1 = arrays["place"].tolist()
                classes = ClassPatch((slice(y0, y1), slice(x0, x1)), arrays["classes"])
            y0, x0, y1, x1 = arrays["extent"].tolist()
            whole, cut = (_unpacked(name, arrays, shape) for name in ("whole", "cut"))
        extent = (y0, x0, y1, x1)
        return TileFound(extent, whole, cut, classes)


_FIELDS = ("boxes", "offsets", "class_ids", "scores", "qualities")


def _packed(name: str, found: Instances) -> dict[str, Any]:
    arrays = {f"{name}.{field}": getattr(found, field) for field in _FIELDS}
    return arrays | {f"{name}.masks": np.packbits(found.masks)}


def _unpacked(name: str, arrays: Any, shape: tuple[int, int]) -> Instances:
    fields = {field: arrays[f"{name}.{field}"] for field in _FIELDS}
    bits = np.unpackbits(arrays[f"{name}.masks"], count=int(fields["offsets"][-1]))
    return Instances(masks=bits.astype(np.bool_), shape=shape, **fields)


def _digest(plan: Plan) -> str:
    """Return a hash of the geometry of the tiles.

    Without what is estimated: that may differ in the last digit from run to run.
    """
    known = (plan.scaled.shape, plan.tiles, plan.skip_background)
    return hashlib.sha256(repr(known).encode()).hexdigest()
