"""The card of a model: what a person should know before using it, as plain text.

Everything comes from the checkpoint itself.  Older ones tell less; what they do not
tell is left out, or said to be unknown where somebody would look for it.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from napari_pffnet.catalog import StoredModel
    from napari_pffnet.config import CheckpointInfo

_WIDTH = 88
_INDENT = "  "
_NOTHING = "-"
_SCORES = {
    "aji": "AJI",
    "pq": "PQ",
    "f1": "F1",
    "dice": "Dice",
    "ap50": "AP50",
    "ap": "AP",
    "voc_ap50": "VOC AP50",
    "voc_ap": "VOC AP",
}
"""Columns of the table of scores, by their key in the report."""


@dataclass(frozen=True, slots=True)
class Section:
    """A title and the lines under it."""

    title: str
    lines: tuple[str, ...]


def model_card(model: StoredModel) -> str:
    """Return the card of a model, at most 88 characters wide but for paths.

    Parameters
    ----------
    model
        As `catalog.read_stored` reads it.

    Returns
    -------
    str
        Several lines, the name first.
    """
    info = model.info
    sections = [
        Section("Finds", _finds(info)),
        Section("Network", _network(model)),
        Section("Training data", _data(info)),
        Section("Training", _training(info)),
        *_scores(info),
        Section("File", _file(model)),
    ]
    head = [info.name, *textwrap.wrap(info.description, _WIDTH)]
    parts = ["\n".join(head)]
    parts += ["\n".join((s.title, *s.lines)) for s in sections if s.lines]
    return "\n\n".join(parts)


# ---------------------------------------------------------------- sections


def _finds(info: CheckpointInfo) -> tuple[str, ...]:
    low, high = info.unscaled_range
    smaller = info.magnified_diameter
    return _rows(
        {
            "classes": ", ".join(info.model.classes),
            "object sizes": f"{low:.0f} to {high:.0f} pixels across, mostly "
            f"{info.diameter:.0f}; others by rescaling the image"
            f"{f', smaller ones to {smaller:.0f}' if smaller else ''}",
            "thresholds": f"score at least {info.thresholds.score:g}, covered by "
            f"better ones at most {info.thresholds.covered:g}, box NMS "
            f"{info.model.nms_iou:g}",
        }
    )


def _network(model: StoredModel) -> tuple[str, ...]:
    network, scale = model.info.model, model.info.normalization
    channels = "channel" if network.in_channels == 1 else "channels"
    return _rows(
        {
            "architecture": f"{network.architecture}, variant {network.variant}, on "
            f"{network.backbone} with {network.norm.replace('_', ' ')} norm",
            "parameters": f"{model.parameters / 1e6:.1f} million",
            "input": f"{network.in_channels} {channels}, tiles of "
            f"{model.info.tile_size} pixels",
            "normalisation": f"percentiles {scale.low:g} and {scale.high:g} of the "
            f"image become 0 and 1, the range at least {scale.noise_factor:g} times "
            "its noise",
            "channel names": ", ".join(scale.channel_names),
        }
    )


def _data(info: CheckpointInfo) -> tuple[str, ...]:
    lines = [line for source in info.data for line in _source(source.model_dump())]
    images, objects = (info.training.get(name) for name in ("images", "objects"))
    if images and objects:
        lines += _rows({"in all": f"{images:,} images, {objects:,} objects"})
    if not info.data:
        lines += _rows({"origin": "not recorded in this file"})
    return tuple(lines)


def _source(source: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the lines of one set of images."""
    counts = []
    if source["images"]:
        counts.append(f"{source['images']:,} images to learn from")
    if source["validation_images"]:
        counts.append(f"{source['validation_images']:,} to choose by")
    told = [source["what"], ", ".join(counts), f"licence {source['licence']}"]
    return _rows({source["name"]: "; ".join(filter(None, told)), "": source["source"]})


def _training(info: CheckpointInfo) -> tuple[str, ...]:
    record = info.training
    options = (record.get("recipe") or {}).get("train") or {}
    weights = "ImageNet weights" if info.model.pretrained else "new weights"
    rows = {"start": record.get("base") or weights}
    if steps := record.get("steps"):
        rows["steps"] = f"{steps:,}, the best after {record.get('best_step', steps):,}"
    if size := options.get("crop_size"):
        crops = options.get("batch_size", 1) * options.get("accumulate", 1)
        rows["crops"] = f"{crops} a step, {size} x {size} pixels"
    if seconds := record.get("seconds"):
        rows["time"] = f"{_duration(seconds)} on {record.get('device', 'unknown')}"
    return _rows(rows) if record else ()


def _scores(info: CheckpointInfo) -> list[Section]:
    """Return the scores of the release; else those that the training noted."""
    title = "Scores on validation images, which chose the thresholds"
    if info.scores:
        quality = "Quality: does the estimate find the bad objects (IoU below 0.5)?"
        return [
            Section(title, _score_table(info.scores, "n_images")),
            Section(quality, _quality_table(info.scores)),
        ]
    noted = info.training.get("best_scores") or {}
    title = "Scores on validation images, noted while training"
    return [Section(title, _score_table(noted, "images"))]


def _file(model: StoredModel) -> tuple[str, ...]:
    info = model.info
    versions = [f"{name} {number}" for name, number in info.versions.items()]
    return _rows(
        {
            "licence": info.licence,
            "path": str(model.path),
            "size": f"{model.size / 1e6:.1f} MB ({model.size} bytes)",
            "sha256": model.file_sha256,
            "of the weights": model.weights_sha256,
            "written by": ", ".join(versions),
        }
    )


# ---------------------------------------------------------------- tables


def _score_table(scores: Mapping[str, Any], count: str) -> tuple[str, ...]:
    """Return the means of each set; ``count`` is the key of its number of images."""
    sets = _only_mappings(scores)
    shown = {k: t for k, t in _SCORES.items() if any(k in s for s in sets.values())}
    rows = [
        [name, f"{found.get(count, _NOTHING)}", *(_number(found.get(k)) for k in shown)]
        for name, found in sets.items()
    ]
    return _table(["set", "images", *shown.values()], rows) if shown else ()


def _quality_table(scores: Mapping[str, Any]) -> tuple[str, ...]:
    """Return how well the quality tells good objects from bad, for each set."""
    rows = []
    for name, found in _only_mappings(scores).items():
        quality = found.get("quality") or {}
        alone = found.get("quality_by_score_alone") or {}
        if quality:
            rows.append([name, *_quality_cells(quality, alone)])
    titles = ["set", "bad / all", "Spearman with IoU", "AUROC", "bad in worst 10 %"]
    note = "(in brackets: by the classification score alone; of the last: at best)"
    return (*_table(titles, rows), _INDENT + note) if rows else ()


def _quality_cells(quality: Mapping[str, Any], alone: Mapping[str, Any]) -> list[str]:
    def beside(name: str) -> str:
        return f"{_number(quality.get(name))} ({_number(alone.get(name))})"

    share, ceiling = quality.get("worst_share"), quality.get("worst_share_ceiling")
    return [
        f"{quality.get('n_bad', _NOTHING)} / {quality.get('n_objects', _NOTHING)}",
        beside("spearman"),
        beside("auroc_bad"),
        f"{_number(share)} ({_number(ceiling)})",
    ]


def _only_mappings(scores: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the sets; other programs may have noted something else."""
    return {name: found for name, found in scores.items() if isinstance(found, dict)}


def _number(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float | int) else _NOTHING


def _duration(seconds: float) -> str:
    """Return a time in words of the fitting unit."""
    if seconds < 120:
        return f"{seconds:.0f} seconds"
    minutes = seconds / 60
    return f"{minutes:.0f} minutes" if minutes < 120 else f"{minutes / 60:.1f} hours"


def _rows(values: Mapping[str, str]) -> tuple[str, ...]:
    """Return names and values in two columns; values that are empty are left out."""
    lines: list[str] = []
    for name, value in values.items():
        start = f"{_INDENT}{name:15} "
        lines += textwrap.wrap(
            value,
            _WIDTH,
            initial_indent=start,
            subsequent_indent=" " * len(start),
            # Paths and addresses are copied from here.
            break_long_words=False,
            break_on_hyphens=False,
        )
    return tuple(lines)


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """Return aligned columns: the first to the left, the others to the right."""
    cells = [titles, *rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return tuple(
        _INDENT
        + "  ".join(
            text.ljust(width) if place == 0 else text.rjust(width)
            for place, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    )
