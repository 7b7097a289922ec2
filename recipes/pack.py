"""Put the CC0 images, train and val, into one file for training elsewhere.

    python recipes/pack.py [--data ../shared/data] [--out packs/nuclei.npz]

The images are 8-bit after the normalisation of the nuclei model.  Training takes
the file in the place of a folder.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from napari_pffnet.data.pack import write_pack
from napari_pffnet.data.pairs import load_pairs

SETS = ("bbbc039", "dsb2018")
PARTS = ("train", "val")
MAX_BYTES = 45 * 2**20


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path("packs/nuclei.npz"))
    options = parser.parse_args()
    try:
        sets = {
            f"{name}/{part}": load_pairs(options.data / name / part)
            for name in SETS
            for part in PARTS
        }
        size = write_pack(options.out, sets, max_bytes=MAX_BYTES)
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    for name, images in sets.items():
        print(f"{name}: {len(images)} images")
    print(f"{options.out}: {size / 2**20:.1f} of {MAX_BYTES / 2**20:.0f} MiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
