"""The whole network through the whole loop."""

import numpy as np
import torch

from napari_pffnet.build import build_network
from napari_pffnet.config import CheckpointInfo, Recipe, Thresholds, TrainConfig
from napari_pffnet.training import TrainStep, ValidationStep, train_iter
from napari_pffnet.weights import Model, load_model


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


def test_quality_alone_leaves_the_rest_of_the_base(images, tiny_config, tmp_path):
    torch.manual_seed(0)
    # Everything is a candidate, or there would be nothing to judge.
    model = tiny_config.model_copy(update={"candidate_score": 0.0})
    chosen = Thresholds(score=0.75)
    base = Model(
        build_network(model).eval(),
        CheckpointInfo(model=model, thresholds=chosen),
        torch.device("cpu"),
    )
    train = TrainConfig(part="quality", iterations=3, crop_size=64, ema_decay=0.5)
    steps = list(
        train_iter(
            images[:1],
            {"seen": images[:1]},
            recipe=Recipe(model=model, train=train),
            out=tmp_path / "m.safetensors",
            base=base,
            device="cpu",
        )
    )
    assert [set(s.losses) for s in steps if isinstance(s, TrainStep)] == [
        {"quality"}
    ] * 3
    assert not any(isinstance(s, ValidationStep) for s in steps)
    made = load_model(tmp_path / "m.safetensors", device="cpu")
    assert made.info.thresholds == chosen
    assert made.info.diameter == base.info.diameter
    assert made.info.diameter_range == base.info.diameter_range
    before = base.network.state_dict()
    changed = {
        name
        for name, tensor in made.network.state_dict().items()
        if not torch.equal(tensor, before[name])
    }
    assert changed
    assert all(name.startswith("mask_branch.quality.") for name in changed)
