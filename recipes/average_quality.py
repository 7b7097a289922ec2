"""Average the quality branch of a model before and after its own training.

    python recipes/average_quality.py first.safetensors nuclei.safetensors --share 0.4
        --out mean.safetensors

All else is that of the second; what the first lacks counts as zeros, with which a new
branch begins.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from napari_pffnet.weights import load_model, save_checkpoint


def average(
    before: torch.nn.Module, after: torch.nn.Module, share: float
) -> dict[str, torch.Tensor]:
    """Return the state with ``share`` of the weights after the training."""
    old = before.state_dict()
    return {
        name: (1 - share) * old.get(name, torch.zeros_like(new)) + share * new
        for name, new in after.state_dict().items()
    }


def main() -> None:
    """Parse the command line and write the mean."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--share", type=float, required=True, help="of the second")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    first = load_model(options.before, device="cpu")
    second = load_model(options.after, device="cpu")
    branch = second.network.mask_branch.quality
    branch.load_state_dict(
        average(first.network.mask_branch.quality, branch, options.share)
    )
    save_checkpoint(options.out, second.network, second.info)


if __name__ == "__main__":
    main()
