"""Candidates as COCO results."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_pffnet.files import write_atomically

if TYPE_CHECKING:
    from os import PathLike

    from napari_pffnet.instances import Instances


def write_coco(
    found: Instances, path: str | PathLike[str], *, image_id: int | str
) -> None:
    """Write candidates as a COCO results file, masks as compressed RLE.

    ``score`` is the confidence, by which COCO ranks; where the quality is known, a
    member ``pffnet`` beside it keeps the factors.  An unknown score is left out.

    Parameters
    ----------
    found
        All candidates with their overlaps: average precision is measured on them.
    path
        File to write; replaced if it is there.
    image_id
        Of the image in the annotations that the results are compared with.
    """
    results = [
        {
            "image_id": image_id,
            "category_id": int(found.class_ids[i]),
            "bbox": _bbox(found, i),
            "segmentation": {
                "size": list(found.shape),
                "counts": compress_counts(run_lengths(found, i)),
            },
            **_scores(found, i),
        }
        for i in range(len(found))
    ]
    write_atomically(Path(path), json.dumps(results).encode())


def _scores(found: Instances, i: int) -> dict[str, Any]:
    """Return what is known of how good candidate ``i`` is; JSON knows no NaN."""
    score, quality = float(found.scores[i]), float(found.qualities[i])
    if math.isnan(score):
        return {}
    if math.isnan(quality):
        return {"score": score}
    factors = {"score": score, "quality": quality}
    return {"score": float(found.confidences[i]), "pffnet": factors}


def run_lengths(found: Instances, i: int) -> list[int]:
    """Return the runs of candidate ``i`` in its image, column by column.

    Background and object take turns, background first; from the window alone.
    """
    top, left = found.boxes[i, :2].tolist()
    columns = np.pad(found.mask(i).T, ((0, 0), (1, 1))).astype(np.int8)
    changes = np.diff(columns, axis=1)
    height, width = found.shape
    starts, stops = (
        (x + left) * height + y + top
        for x, y in (np.nonzero(changes == 1), np.nonzero(changes == -1))
    )
    edges = np.stack([starts, stops], axis=1).ravel()
    # A run that goes on at the top of the next column is one run.
    joined = np.flatnonzero(np.diff(edges) == 0)
    edges = np.delete(edges, [*joined, *(joined + 1)])
    runs: list[int] = np.diff(edges, prepend=0, append=height * width).tolist()
    return runs if runs[-1] else runs[:-1]


def compress_counts(runs: list[int]) -> str:
    """Return run lengths as the ASCII string of COCO.

    From the fourth on a run is told by its difference to the last but one.  Each
    number is cut into 5 bits, the lowest first, as long as anything but its sign
    is left; 32 is added where more follow, and 48 to reach printable characters.
    """
    characters = []
    for i, run in enumerate(runs):
        number = run - runs[i - 2] if i > 2 else run
        more = True
        while more:
            bits = number & 31
            number >>= 5
            more = number != (-1 if bits & 16 else 0)
            characters.append(chr(bits + 32 * more + 48))
    return "".join(characters)


def _bbox(found: Instances, i: int) -> list[int]:
    """Return x, y, width, height of the pixels of candidate ``i``."""
    top, left = found.boxes[i, :2].tolist()
    mask = found.mask(i)
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    y0, y1, x0, x1 = (int(i) for i in (rows[0], rows[-1], columns[0], columns[-1]))
    return [left + x0, top + y0, x1 - x0 + 1, y1 - y0 + 1]
