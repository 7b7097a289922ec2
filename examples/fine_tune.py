"""Refine the nuclei model on one annotated image and see whether it got better.

Run it with ``python examples/fine_tune.py [STEPS]``.  The right half of the sample is
trained on, the left half is compared before and after.
"""

import sys
import tempfile
from pathlib import Path

import napari_pffnet as pff


def main(steps: int = 50) -> None:
    sample = pff.load_sample("histology")
    middle = sample.labels.shape[1] // 2
    known = (sample.image[:, middle:], sample.labels[:, middle:])
    held_out = (sample.image[:, :middle], sample.labels[:, :middle])

    recipe = pff.Recipe(
        name="refined", train=pff.TrainConfig(iterations=steps, crop_size=128)
    )
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "refined.safetensors"
        pff.train([known], out=out, base="nuclei", recipe=recipe)
        for name in ("nuclei", out):
            result = pff.segment(held_out[0], pff.load_model(name))
            scores = pff.evaluate(held_out[1], result.labels)
            print(f"{Path(name).stem:10} PQ {scores['pq']:.3f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
