import csv
import gc
import math
import multiprocessing
from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_pffnet.config import TrainConfig
from napari_pffnet.training import (
    CheckpointStep,
    TrainingError,
    TrainStep,
    ValidationStep,
    train_iter,
)
from napari_pffnet.training.run import paths_beside
from napari_pffnet.training.tensorboard import tensorboard_path
from napari_pffnet.weights import load_model


def run(images, recipe, out, validation=None, **options):
    """Train to the end; return all steps and the result."""
    steps, result = [], None

    def collect():
        nonlocal result
        result = yield from train_iter(
            images, validation, recipe=recipe, out=out, device="cpu", **options
        )

    steps = list(collect())
    return steps, result


def losses(steps):
    return {s.step: dict(s.losses) for s in steps if isinstance(s, TrainStep)}


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_run_tells_each_step_and_leaves_checkpoints_logs_and_a_picture(
    images, recipe, tmp_path
):
    out = tmp_path / "m.safetensors"
    steps, result = run(images[:2], recipe, out, {"held": images[2:]})
    train = [s for s in steps if isinstance(s, TrainStep)]
    assert [s.step for s in train] == [1, 2, 3, 4, 5, 6]
    assert all(s.total == pytest.approx(sum(s.losses.values())) for s in train)
    assert [s.step for s in steps if isinstance(s, ValidationStep)] == [2, 4, 6]
    # One object that fills the image scores alike at every step.
    best = [s.step for s in steps if isinstance(s, CheckpointStep) and s.is_best]
    assert best == [2]
    assert (result.path, result.best_step, result.steps) == (out, 2, 6)
    assert {p.name for p in tmp_path.iterdir()} == {
        "m.safetensors",
        "m.last.safetensors",
        "m.state.safetensors",
        "m.state.previous.safetensors",
        "m.log.csv",
        "m.val.csv",
        "m.curves.png",
    }
    may_be_there = {out, *paths_beside(out)}
    assert may_be_there == {*tmp_path.iterdir(), tensorboard_path(out)}
    logged = rows(tmp_path / "m.log.csv")
    assert [int(r["step"]) for r in logged] == [1, 2, 3, 4, 5, 6]
    assert float(logged[3]["mask"]) == pytest.approx(train[3].losses["mask"], 1e-4)
    assert [r["set"] for r in rows(tmp_path / "m.val.csv")] == ["held"] * 3


def test_the_checkpoint_says_what_it_was_trained_on(images, recipe, tmp_path):
    out = tmp_path / "m.safetensors"
    run(images[:2], recipe, out, {"held": images[2:]})
    info = load_model(out, device="cpu").info
    areas = np.concatenate([np.bincount(i.labels.ravel())[1:] for i in images[:2]])
    diameters = np.sqrt(4 * areas / np.pi)
    assert info.diameter == pytest.approx(np.median(diameters))
    # The scale jitter of 0.5 to 2 widens the range.
    low, high = np.percentile(diameters, (2, 98))
    assert info.diameter_range == pytest.approx((0.5 * low, 2 * high))
    assert info.licence == "CC0-1.0"
    # The score of all objects found is 0.55.
    assert info.thresholds.score == 0.3
    record = info.training
    assert record["image_names"] == ["discs 0", "discs 1"]
    assert record["objects"] == len(areas)
    assert record["best_scores"]["held"]["images"] == 1
    assert (record["best_step"], record["device"][:3]) == (2, "CPU")
    assert record["recipe"]["train"]["iterations"] == 6


def test_the_loss_falls_on_one_image(images, change, tmp_path):
    steps, _ = run(
        images[:1], change(iterations=120, validate_every=120), tmp_path / "m"
    )
    curve = [step["mask"] for step in losses(steps).values()]
    assert np.mean(curve[-10:]) < 0.7 * np.mean(curve[:10])


def test_without_validation_the_last_weights_are_the_result(images, recipe, tmp_path):
    out = tmp_path / "m.safetensors"
    steps, result = run(images, recipe, out)
    assert not any(isinstance(s, ValidationStep) for s in steps)
    assert result.best_step == 6
    last = load_model(result.last_path, device="cpu").network.state_dict()
    for name, tensor in load_model(out, device="cpu").network.state_dict().items():
        assert torch.equal(tensor, last[name])


def test_the_running_mean_of_the_weights_is_the_result(images, change, tmp_path):
    def weights(iterations, decay):
        recipe = change(
            iterations=iterations, ema_decay=decay, schedule="constant", warmup=0
        )
        _, result = run(images, recipe, tmp_path / f"{iterations} {decay}.safetensors")
        return load_model(result.path, device="cpu").network.state_dict()

    start = weights(1, 1 - 1e-12)
    one, two = weights(1, 0.0), weights(2, 0.0)
    mean = weights(2, 0.75)
    for name, tensor in mean.items():
        by_hand = 0.75 * (0.75 * start[name] + 0.25 * one[name]) + 0.25 * two[name]
        assert torch.allclose(tensor, by_hand, atol=1e-6)
        assert not torch.equal(tensor, two[name])


def test_it_stops_when_the_scores_stop_rising(images, change, tmp_path):
    steps, result = run(
        images, change(patience=1), tmp_path / "m.safetensors", {"v": images}
    )
    assert result.stopped_early
    assert max(losses(steps)) == result.steps == 4


@pytest.mark.parametrize("workers", [0, 1])
def test_a_seed_fixes_every_loss(images, change, tmp_path, workers):
    one, two, other = (
        losses(run(images, change(seed=seed, workers=n), tmp_path / "m")[0])
        for seed, n in [(1, workers), (1, 0), (2, 0)]
    )
    assert one == two
    assert one != other


def test_what_loads_crops_ends_with_the_training(images, change, tmp_path):
    gc.disable()
    try:
        run(images, change(workers=1), tmp_path / "m")
        assert not multiprocessing.active_children()
    finally:
        gc.enable()


def test_accumulated_passes_are_one_larger_batch(images, change, tmp_path):
    whole, _ = run(images, change(iterations=1, batch_size=4), tmp_path / "a")
    parts, _ = run(
        images, change(iterations=1, batch_size=2, accumulate=2), tmp_path / "b"
    )
    # The dropout differs, the crops do not.
    assert losses(whole)[1]["mask"] == pytest.approx(losses(parts)[1]["mask"], rel=0.2)
    assert len(losses(parts)) == 1


def test_a_loss_that_is_not_finite_stops_with_its_name(images, change, tmp_path):
    recipe = change(learning_rate=1e30, optimizer="sgd", clip_gradient=0, warmup=0)
    with pytest.raises(TrainingError, match=r"not finite at step \d.*learning rate"):
        run(images, recipe, tmp_path / "m.safetensors")


def test_a_loss_that_is_not_finite_at_the_first_step_says_so_too(
    images, recipe, tmp_path
):
    broken = images[0].image.astype(np.float32) * np.float32(np.nan)
    image = replace(images[0], image=broken)
    with pytest.raises(TrainingError, match=r"loss \(mask, quality\).*step 1;"):
        run([image], recipe, tmp_path / "m.safetensors")
    assert not list(tmp_path.glob("*.safetensors"))


def test_clipping_bounds_the_step(images, change, tmp_path):
    out = tmp_path / "m.safetensors"
    options = {"optimizer": "sgd", "momentum": 0, "weight_decay": 0, "warmup": 0}
    start = change(iterations=1, learning_rate=1e-30, **options)
    run(images, start, out)
    before = load_model(out, device="cpu").network.state_dict()
    run(
        images,
        change(iterations=1, learning_rate=1.0, clip_gradient=1e-3, **options),
        out,
    )
    after = load_model(out, device="cpu").network.state_dict()
    moved = math.sqrt(sum(float((after[n] - before[n]).square().sum()) for n in after))
    assert moved == pytest.approx(1e-3, rel=0.01)


def test_images_without_any_object_are_refused(images, recipe, tmp_path):
    empty = images[0]
    empty.labels[:] = 0
    with pytest.raises(ValueError, match="None of the 1 training images has an object"):
        run([empty], recipe, tmp_path / "m.safetensors")


def test_float16_needs_a_gradient_scaler_and_so_cuda(images, change, tmp_path):
    with pytest.raises(ValueError, match="trains on CUDA only"):
        run(images, change(precision="float16"), tmp_path / "m.safetensors")


def test_bfloat16_trains_on_a_cpu(images, change, tmp_path):
    exact, rough = (
        losses(run(images, change(precision=p, iterations=1), tmp_path / p)[0])
        for p in ("float32", "bfloat16")
    )
    assert rough[1]["mask"] != exact[1]["mask"]
    assert rough[1]["mask"] == pytest.approx(exact[1]["mask"], rel=0.02)


def test_fine_tuning_keeps_the_weights_and_makes_new_ones_for_new_classes(
    images, recipe, change, tmp_path, caplog
):
    run(images, recipe, tmp_path / "base.safetensors")
    base = load_model(tmp_path / "base.safetensors", device="cpu")
    model = recipe.model.model_copy(update={"classes": ("a", "b")})
    still = TrainConfig(iterations=1, crop_size=64, learning_rate=1e-30)
    two = recipe.model_copy(update={"model": model, "train": still})
    with caplog.at_level("INFO", "napari_pffnet"):
        run(images, two, tmp_path / "two.safetensors", base=base)
    tuned = load_model(tmp_path / "two.safetensors", device="cpu")
    assert tuned.info.model.classes == ("a", "b")
    assert tuned.info.training["base"] == "discs"
    assert torch.equal(tuned.network.features.weight, base.network.features.weight)
    assert tuned.network.object.weight.shape[0] == 3
    assert "object.weight, object.bias" in caplog.text
