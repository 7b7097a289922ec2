"""The whole network through the whole loop."""

import numpy as np

from napari_pffnet.config import Recipe, TrainConfig
from napari_pffnet.training import TrainStep, train_iter
from napari_pffnet.weights import load_model


def test_pffnet_learns_names_all_losses_and_segments(images, tiny_config, tmp_path):
    train = TrainConfig(
        iterations=15,
        crop_size=64,
        batch_size=1,
        warmup=3,
        learning_rate=1e-3,
        validate_every=15,
        precision="float32",
    )
    out = tmp_path / "m.safetensors"
    steps = list(
        train_iter(
            images[:1],
            {"seen": images[:1]},
            recipe=Recipe(model=tiny_config, train=train),
            out=out,
            device="cpu",
        )
    )
    done = [s for s in steps if isinstance(s, TrainStep)]
    assert set(done[0].losses) == set(type(tiny_config.loss_weights).model_fields)
    totals = [s.total for s in done]
    assert np.mean(totals[-4:]) < 0.8 * np.mean(totals[:4])
    assert load_model(out, device="cpu").info.diameter > 10
