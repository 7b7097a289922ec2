"""``python -m napari_pffnet.cli``: the program where its script is not at hand."""

import sys

from napari_pffnet.cli.app import main

sys.exit(main())
