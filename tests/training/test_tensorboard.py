import sys

import pytest

from napari_pffnet.training import TrainStep, train_iter
from napari_pffnet.training.tensorboard import tensorboard_path

accumulator = pytest.importorskip(
    "tensorboard.backend.event_processing.event_accumulator"
)


def logged(out):
    """Return the steps and values of each curve, as TensorBoard shows them."""
    events = accumulator.EventAccumulator(str(tensorboard_path(out))).Reload()
    return {
        name: {event.step: event.value for event in events.Scalars(name)}
        for name in events.Tags()["scalars"]
    }


def run(images, recipe, out, stop_after=None, **options):
    steps = train_iter(
        images, {"v": images}, recipe=recipe, out=out, device="cpu", **options
    )
    for step in steps:
        if isinstance(step, TrainStep):
            last = step
            if step.step == stop_after:
                steps.close()
    return last


def test_losses_and_scores_are_logged(images, change, tmp_path):
    out = tmp_path / "m.safetensors"
    last = run(images, change(tensorboard=True), out)
    curves = logged(out)
    assert list(curves["loss/mask"]) == [1, 2, 3, 4, 5, 6]
    assert curves["loss/mask"][6] == pytest.approx(last.losses["mask"])
    assert curves["loss/total"][6] == pytest.approx(last.total)
    assert curves["learning rate"][6] == pytest.approx(last.learning_rate)
    assert list(curves["AJI/v"]) == list(curves["PQ/v"]) == [2, 4, 6]


def test_a_resumed_run_goes_on_and_a_new_one_starts_anew(images, change, tmp_path):
    out = tmp_path / "m.safetensors"
    recipe = change(tensorboard=True)
    run(images, recipe, out, stop_after=3)
    run(images, recipe, out, resume=True)
    assert list(logged(out)["loss/mask"]) == [1, 2, 3, 4, 5, 6]
    run(images, recipe, out, stop_after=2)
    assert list(logged(out)["loss/mask"]) == [1, 2]


def test_without_being_asked_for_there_is_none(images, recipe, tmp_path):
    run(images, recipe, tmp_path / "m.safetensors", stop_after=1)
    assert not tensorboard_path(tmp_path / "m.safetensors").exists()


def test_where_it_is_missing_it_says_how_to_install_it(
    images, change, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    for name in [n for n in sys.modules if n.startswith("torch.utils.tensorboard")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(ImportError, match=r"pip install 'napari-pffnet\[tensorboard\]"):
        run(images, change(tensorboard=True), tmp_path / "m.safetensors")
