"""What the Segment widget would do, without a window: a command, or Python."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_pffnet.config import SegmentConfig
from napari_pffnet.data.readers import IMAGE_SUFFIXES, TIFF_SUFFIXES
from napari_pffnet.sample_data import sample_names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari.layers import Image

    from napari_pffnet._qt.segment_plan import SegmentPlan


def as_command(plan: SegmentPlan) -> str:
    """Return the line for a terminal that does the same.

    Raises
    ------
    ValueError
        If the command line cannot do it; Python can.
    """
    hindrance = _hindrance(plan)
    if hindrance:
        raise ValueError(
            f"No single command does this: {hindrance}. Copy it as Python."
        )
    sample = _sample(plan.layer)
    image = ["--sample", sample] if sample else [str(plan.layer.source.path)]
    words = ["pffnet", "segment", *image, "--out", "results"]
    words += ["--model", plan.model, "--device", _kind_of_device(plan.device)]
    words += option_words(_options(plan))
    if set(plan.source.axes) & set("CTZ"):
        words += ["--axes", plan.source.axes]
    return shlex.join(words)


def as_python(plan: SegmentPlan) -> str:
    """Return the lines of Python that do the same."""
    arguments = [f"{name}={value!r}" for name, value in _facts(plan).items()]
    if plan.region is not None:
        arguments.append(f"region=pff.{plan.region!r}")
    arguments += [f"{name}={value!r}" for name, value in _options(plan).items()]
    lines = [
        "import napari_pffnet as pff",
        *_image_lines(plan),
        f"model = pff.load_model({plan.model!r}, device={plan.device!r})",
        f"result = pff.segment_planes(image, model, {', '.join(arguments)})",
        "labels, objects = result.labels, result.table",
    ]
    if plan.quality > 0:
        lines += [
            f"painted = result.candidates.paint(quality_threshold={plan.quality!r})",
            "labels, objects = painted.labels, painted.table",
        ]
    return "\n".join([*lines, ""])


def changed_options(config: SegmentConfig) -> dict[str, Any]:
    """Return the options that differ from the defaults."""
    defaults = SegmentConfig()
    return {name: value for name, value in config if value != getattr(defaults, name)}


def option_words(options: Mapping[str, Any]) -> list[str]:
    """Return options that differ from the defaults as the command line takes them."""
    words: list[str] = []
    for name, value in options.items():
        words.append(f"--{name.replace('_', '-')}")
        if isinstance(value, tuple):
            words.append(",".join(map(str, value)))
        # A switch has no value.
        elif value is not True:
            words.append(str(value))
    return words


def _facts(plan: SegmentPlan) -> dict[str, Any]:
    """Return what is known of the image."""
    source = plan.source
    facts: dict[str, Any] = {"axes": source.axes}
    if source.channel_names:
        facts["channel_names"] = source.channel_names
    if source.pixel_size_um is not None:
        facts["pixel_size_um"] = source.pixel_size_um
    return facts


def _options(plan: SegmentPlan) -> dict[str, Any]:
    """Return the options that differ from the defaults; the axes are a fact."""
    options = changed_options(plan.config)
    options.pop("axes", None)
    return options


def _hindrance(plan: SegmentPlan) -> str:
    """Say why the command line cannot do it, or nothing."""
    if plan.region is not None:
        return "only a part of the image is segmented"
    if plan.quality > 0:
        return "objects of low quality are left out"
    if not _sample(plan.layer) and not _file(plan.layer):
        return "the image was not read from a file that the command reads"
    return ""


def _image_lines(plan: SegmentPlan) -> list[str]:
    """Return the lines that read the image, as napari has read it."""
    layer, level = plan.layer, "[0]" if plan.layer.multiscale else ""
    sample, path = _sample(layer), _file(layer)
    if sample:
        return [f"image = pff.load_sample({sample!r}).image"]
    if path and not level:
        module = "tifffile" if path.suffix.lower() in TIFF_SUFFIXES else "imageio.v3"
        return [f"from {module} import imread", f"image = imread({str(path)!r})"]
    return [
        "# In napari's console; elsewhere, read the image from where it came.",
        f"image = viewer.layers[{plan.layer.name!r}].data{level}",
    ]


def _sample(layer: Image) -> str:
    """Return the name of the bundled image that a layer shows, or ""."""
    _, name = layer.source.sample or ("", "")
    return name if name in sample_names() else ""


def _file(layer: Image) -> Path | None:
    """Return the file that a layer shows, if it was read as it is stored."""
    path = layer.source.path
    if not path or layer.source.reader_plugin not in ("napari", "builtins", None):
        return None
    return Path(path) if path.lower().endswith(IMAGE_SUFFIXES) else None


def _kind_of_device(device: str) -> str:
    """Return the device as the command line names it, without its number."""
    return device.partition(":")[0]
