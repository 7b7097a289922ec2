"""``pffnet train``."""

from pathlib import Path
from typing import Literal

from napari_pffnet.cli import console
from napari_pffnet.cli.outputs import check_free


def train(
    folder: Path,
    /,
    *,
    out: Path,
    val: Path | None = None,
    base: str | None = None,
    recipe: Path | None = None,
    iterations: int | None = None,
    seed: int | None = None,
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto",
    threads: int | None = None,
    resume: bool = False,
    overwrite: bool = False,
    quiet: bool = False,
) -> int:
    """Train a model on your own images, or refine one that exists.

    FOLDER holds images/ and labels/ with equal file names up to the suffix.  In a
    label image 0 is background and every other number one object.  An optional
    ignore/ marks with 1 what nobody labelled.

    - `pffnet train mycells --base nuclei --out mycells.safetensors`
    - `pffnet train mycells --out mycells.safetensors --resume`
    - `pffnet segment new.tif --model mycells.safetensors --out results`

    Beside the checkpoint lie a log of the losses (CSV), pictures of the curves and
    the state from which --resume goes on.  Ctrl-C stops and saves that state.

    Parameters
    ----------
    folder
        Folder with images/ and labels/.
    out
        Checkpoint to write: a .safetensors file.
    val
        Such a folder to validate on; default: a tenth of the images, at least one.
    base
        Model to start from: a name (see `pffnet models`) or a checkpoint.
    recipe
        TOML file with all options; see recipes/ and docs/train.md.
    iterations
        Training steps; default: the recipe's.
    seed
        Start of all random choices; default: the recipe's.
    device
        Where the network runs.
    threads
        CPU threads; default: the recipe's.
    resume
        Go on with a run that was stopped.
    overwrite
        Replace a checkpoint that exists.
    quiet
        No progress bar, and nothing but errors.
    """
    if not resume:
        check_free([out], overwrite=overwrite)
    return console.OK
