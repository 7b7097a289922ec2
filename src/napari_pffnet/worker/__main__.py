"""``python -m napari_pffnet.worker [FOLDER]``: answers until its input ends."""

import sys

from napari_pffnet.worker.loop import main

if __name__ == "__main__":
    main(*sys.argv[1:])
