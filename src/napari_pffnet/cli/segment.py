"""``pffnet segment``."""

from pathlib import Path
from typing import Annotated, Literal, TypeVar

from cyclopts import Parameter

from napari_pffnet.cli import console, outputs
from napari_pffnet.cli.images import find_images
from napari_pffnet.cli.jobs import Job, parse_formats
from napari_pffnet.cli.models import fetch_model
from napari_pffnet.config import DataConfig, SegmentConfig
from napari_pffnet.sample_data import sample_path

_DEFAULTS = SegmentConfig()
_WithChannels = TypeVar("_WithChannels", SegmentConfig, DataConfig)


def segment(
    *images: str,
    out: Path,
    sample: Literal["fluorescence", "histology"] | None = None,
    model: str = "nuclei",
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto",
    config: Annotated[SegmentConfig, Parameter(name="*")] = _DEFAULTS,
    threads: int = 0,
    formats: Annotated[str, Parameter(name="--format")] = "tiff,csv",
    overlay: Annotated[bool, Parameter(negative="--no-overlay")] = True,
    overwrite: bool = False,
    quiet: bool = False,
) -> int:
    """Find every object of images and tell how good each outline is.

    - `pffnet segment --sample fluorescence --out results`
    - `pffnet segment cells.tif --out results --diameter 25`
    - `pffnet segment images/ --out results --format tiff,csv,geojson`

    Of each image NAME these files are written into the folder of --out:
    NAME_labels.tif (one number an object), NAME_semantic.tif (one class a pixel),
    NAME_objects.csv (class, score, quality, area ... of each object),
    NAME_overlay.png (the outlines, red where the quality is poor) and
    NAME_run.json (how the result came about).  An image that fails does not stop
    the others.

    Parameters
    ----------
    images
        Images (PNG, TIFF, JPEG), folders of images, or patterns such as "*.tif".
    out
        Folder for the results; it is made if need be.
    sample
        Segment an image that comes with the program.
    model
        Name of a model (see `pffnet models`) or path of a checkpoint.
    device
        Where the network runs.
    config
        Options of the segmentation.
    threads
        CPU threads; 0: as many as torch chooses.
    formats
        What to write, separated by commas: tiff, csv, geojson (QuPath), coco,
        rois (ImageJ).
    overlay
        Write the picture of the outlines too.
    overwrite
        Replace results that exist.
    quiet
        No progress bar, and nothing but errors.
    """
    inputs = [*images, *([str(sample_path(sample))] if sample else [])]
    if not inputs:
        raise ValueError(
            "There is no image to segment; name files or a folder, "
            "or try --sample fluorescence."
        )
    suffixes = parse_formats(formats, overlay=overlay)
    jobs = [Job(path, out, suffixes) for path in find_images(inputs)]
    outputs.check_stems(job.image for job in jobs)
    taken = (path for job in jobs for path in job.paths)
    outputs.check_free(taken, overwrite=overwrite)
    records = outputs.read_records(out / outputs.RUN_RECORD, overwrite=overwrite)
    checkpoint = fetch_model(model, quiet=quiet)

    from napari_pffnet.cli.batch import Batch, use_threads

    use_threads(threads)
    batch = Batch.start(checkpoint, device, split_channels(config), records)
    try:
        batch.run(jobs, quiet=quiet)
    finally:
        batch.write_records(out / outputs.RUN_RECORD)
    return console.report_failures(batch.failures)


def split_channels(config: _WithChannels) -> _WithChannels:
    """Return the options with ``--channels 0,2`` taken apart."""
    words = [word for item in config.channels for word in str(item).split(",")]
    channels = tuple(int(word) if word.isdigit() else word for word in words if word)
    return config.model_copy(update={"channels": channels})
