"""The program ``pffnet``: its commands, and what its exit codes mean."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from cyclopts import App, CycloptsError, Parameter

import napari_pffnet
from napari_pffnet.cli import console
from napari_pffnet.cli.evaluate import evaluate
from napari_pffnet.cli.models import models
from napari_pffnet.cli.segment import segment
from napari_pffnet.cli.train import train

if TYPE_CHECKING:
    from collections.abc import Sequence

logger = logging.getLogger("napari_pffnet")

app = App(
    name="pffnet",
    help="""Find nuclei and cells one by one in microscope images.

    Start with `pffnet segment --sample fluorescence --out results`, which needs no
    image of yours.  Exit codes: 0 all is done, 1 some of it failed, 2 the command
    was not understood.""",
    help_format="markdown",
    version=napari_pffnet.__version__,
    suppress_keyboard_interrupt=False,
    # No --no-X for switches that are off, no --empty-X for lists.
    default_parameter=Parameter(negative=()),
)
app.command(segment, sort_key=1)
app.command(train, sort_key=2)
app.command(evaluate, sort_key=3)
app.command(models)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code.

    Parameters
    ----------
    arguments
        Words after ``pffnet``; default: those of this process.
    """
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    console.write_any_name()
    try:
        code = app(
            arguments,
            exit_on_error=False,
            print_error=False,
            result_action="return_value",
        )
    except (CycloptsError, ValueError, OSError, ImportError) as error:
        # The user's mistakes end in one sentence; mistakes of ours in a traceback.
        logger.debug("The command failed.", exc_info=True)
        console.warn(f"pffnet: {console.sentence(error)}")
        return console.USAGE
    except (MemoryError, RuntimeError) as error:
        from napari_pffnet.segmentation.memory import is_out_of_memory

        if not is_out_of_memory(error):
            raise
        console.warn(
            "pffnet: the memory does not suffice; close other programs, or use smaller "
            "tiles (--tile 256); to train, make batch_size, crop_size or "
            "validation_size smaller in a recipe (--recipe)."
        )
        return console.FAILED
    except KeyboardInterrupt:
        console.warn("pffnet: stopped; what was finished before is kept.")
        return console.INTERRUPTED
    return code if isinstance(code, int) else console.OK
