import imageio.v3 as iio
import numpy as np
import pytest

import napari_pffnet as pff
from napari_pffnet.config import CheckpointInfo, ModelConfig, Recipe
from napari_pffnet.data.pack import write_pack
from napari_pffnet.data.pairs import from_arrays
from napari_pffnet.training import TrainingError, ValidationStep, load_training_data
from napari_pffnet.training.record import summarize


def write_folder(folder, images):
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True)
    for i, image in enumerate(images):
        iio.imwrite(folder / "images" / f"{i}.png", image.image[..., 0])
        iio.imwrite(folder / "labels" / f"{i}.png", image.labels.astype(np.uint16))


def test_a_folder_an_array_pair_and_images_are_the_same_data(images, tmp_path):
    write_folder(tmp_path / "cells", images)
    pairs = [(i.image[..., 0], i.labels) for i in images]
    sources = [tmp_path / "cells", pairs, images]
    data = [load_training_data(s, recipe=Recipe()) for s in sources]
    for one in data:
        assert (len(one.train), len(one.validation["val"])) == (2, 1)
        for image, other in zip(one.train, data[0].train, strict=True):
            np.testing.assert_array_equal(image.labels, other.labels)
    np.testing.assert_array_equal(data[0].train[0].image, data[1].train[0].image)


def test_a_pack_brings_its_own_validation(images, tmp_path):
    sets = {"a/train": images[:1], "b/train": images[1:2], "a/val": images[2:]}
    write_pack(tmp_path / "p.npz", sets)
    data = load_training_data(tmp_path / "p.npz", recipe=Recipe())
    assert [i.name for i in data.train] == ["discs 0", "discs 1"]
    assert [i.name for i in data.validation["a"]] == ["discs 2"]


def test_a_single_image_is_split(images):
    data = load_training_data(images[:1], recipe=Recipe())
    (train,), (scored,) = data.train, data.validation["val"]
    assert train.labels.size + scored.labels.size == images[0].labels.size


def test_a_single_object_is_trained_and_validated_on(images, caplog):
    image = images[0]
    image.labels[image.labels > 1] = 0
    one = type(image)(image.image, image.labels, None, image.class_ids[:1], "one")
    data = load_training_data([one], recipe=Recipe())
    assert data.train[0] is data.validation["val"][0] is one
    assert "too few objects" in caplog.text


def test_only_what_is_known_is_looked_at(images):
    whole = images[0]
    ignore = np.ones(whole.labels.shape, bool)
    ignore[:64] = False
    pair = [(whole.image[..., 0], whole.labels)]
    part = from_arrays(*zip(*pair, strict=True), ignore=[ignore])
    data = load_training_data(part, recipe=Recipe())
    known = len(np.unique(whole.labels[:64])) - 1
    numbers = [len(i.class_ids) for i in (*data.train, *data.validation["val"])]
    assert 0 < sum(numbers) <= known < len(whole.class_ids)


def test_sizes_that_the_base_has_not_seen_are_scaled(images):
    base = CheckpointInfo(
        model=ModelConfig(), diameter=32.0, diameter_range=(20.0, 60.0)
    )
    data = load_training_data(images, recipe=Recipe(), base=base)
    summary = summarize(data.train)
    assert summary.diameter == pytest.approx(32, rel=0.1)
    plain = load_training_data(images, recipe=Recipe())
    assert summarize(plain.train).diameter < 20


def test_validation_may_look_at_a_part_only(images):
    recipe = Recipe.model_validate({"train": {"validation_size": 40}})
    data = load_training_data(images, recipe=recipe)
    assert data.validation["val"][0].labels.shape == (40, 40)
    assert data.train[0].labels.shape == (96, 96)


def test_kinds_of_data_are_not_mixed(images):
    with pytest.raises(ValueError, match="only one kind"):
        load_training_data(
            [images[0], (images[1].image, images[1].labels)], recipe=Recipe()
        )


def test_train_runs_to_the_end_and_tells_its_steps(images, recipe, tmp_path):
    write_folder(tmp_path / "cells", images)
    seen = []
    result = pff.train(
        tmp_path / "cells",
        out=tmp_path / "m.safetensors",
        recipe=recipe,
        device="cpu",
        on_step=seen.append,
    )
    assert result.path.exists()
    assert result.best_scores == dict(
        next(s for s in seen if isinstance(s, ValidationStep)).scores
    )
    tuned = pff.train(
        images,
        out=tmp_path / "t.safetensors",
        base=result.path,
        device="cpu",
        recipe=recipe,
    )
    assert pff.load_model(tuned.path).info.training["base"] == "discs"
    assert issubclass(TrainingError, RuntimeError)


def test_a_model_without_a_name_is_called_as_its_file(images, recipe, tmp_path):
    told = pff.train(images, out=tmp_path / "a.safetensors", recipe=recipe)
    given = recipe.model_dump(exclude={"name"}, exclude_unset=True)
    nameless = Recipe.model_validate(given)
    named = pff.train(images, out=tmp_path / "b.safetensors", recipe=nameless)
    names = [pff.load_model(run.path).info.name for run in (told, named)]
    assert names == ["discs", "b"]
