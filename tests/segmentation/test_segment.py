from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from napari_pffnet.config import SegmentConfig
from napari_pffnet.data.normalize import normalize
from napari_pffnet.data.tiling import make_tiles
from napari_pffnet.segmentation import TileDone, segment, segment_iter
from napari_pffnet.segmentation.assembly import Assembly
from napari_pffnet.segmentation.predictor import Predictor
from napari_pffnet.segmentation.tiles import find_in_tiles
from napari_pffnet.segmentation.view import HeldPlane, Scaled

from .bright import BrightThings, bright_model, discs, matched_ious


def test_labels_table_and_class_map_tell_of_the_same_objects():
    image, true = discs((200, 240), 20, 40)
    result = segment(image.astype(np.uint16), bright_model(), pixel_size_um=2.0)
    assert result.labels.dtype == np.int32
    assert result.semantic.dtype == np.uint8
    assert matched_ious(true, result.labels).min() > 0.95
    assert result.objects["label"].tolist() == list(range(1, 31))
    areas = np.bincount(result.labels.ravel())[1:]
    assert result.objects["area"].tolist() == areas.tolist()
    np.testing.assert_allclose(result.objects["confidence"], 0.72, rtol=1e-5)
    assert result.objects["area_um2"][0] == 4 * areas[0]
    np.testing.assert_array_equal(result.semantic > 0, result.labels > 0)


def test_a_cpu_gets_its_images_with_their_channels_last():
    class Layout(BrightThings):
        def forward(self, images, **wanted):
            is_last = images.is_contiguous(memory_format=torch.channels_last)
            layouts.append((is_last, tuple(images.shape)))
            return super().forward(images, **wanted)

    layouts = []
    grey, colour = np.zeros((40, 48, 1), np.float32), np.zeros((40, 48, 3), np.float32)
    predictor = Predictor(Layout().eval(), torch.device("cpu"), torch.float32)
    predictor(np.broadcast_to(grey, (40, 48, 3)))
    predictor(colour, colour)
    assert layouts == [(True, (1, 3, 40, 48)), (True, (2, 3, 40, 48))]


def test_without_branches_quality_is_nan_and_classes_are_painted():
    image, _ = discs((120, 120), 20, 40)
    result = segment(image, bright_model(semantic=False, quality=False))
    assert result.objects["quality"].isna().all()
    np.testing.assert_allclose(result.objects["confidence"], 0.9, rtol=1e-5)
    np.testing.assert_array_equal(result.semantic, (result.labels > 0).astype(np.uint8))


def test_tiles_find_what_the_whole_image_shows_and_nothing_twice():
    image, true = discs((600, 560), 24, 34)
    whole = segment(image, bright_model(), tile=0, diameter=24)
    tiled_model = bright_model()
    tiled = segment(image, tiled_model, tile=256, diameter=24)
    assert len(tiled_model.network.seen) > 4
    assert max(max(shape[2:]) for shape in tiled_model.network.seen) <= 256
    assert len(tiled.objects) == len(whole.objects) == true.max()
    np.testing.assert_array_equal(tiled.labels > 0, whole.labels > 0)
    np.testing.assert_array_equal(tiled.semantic, whole.semantic)


def test_where_memory_ends_tiles_do_and_the_user_is_told():
    image, true = discs((560, 540), 24, 34)
    model = bright_model(most_pixels=300**2)
    result = segment(image, model, tile=0, diameter=24)
    assert len(result.objects) == true.max()
    assert result.record.tile == 280
    assert result.notes == (
        "The memory did not suffice; used cpu, tiles of 280 pixels, 1 at once.",
    )


def test_too_little_memory_for_anything_is_said():
    with pytest.raises(torch.OutOfMemoryError, match="not even in tiles of 256"):
        segment(discs((560, 540), 24, 34)[0], bright_model(most_pixels=10), tile=0)


def test_tiles_at_once_give_what_they_give_one_by_one():
    image, _ = discs((500, 500), 24, 34)
    plane = HeldPlane(np.repeat(normalize(image[..., None]), 3, axis=2))
    tiles = make_tiles((500, 500), tile=256, margin=64)
    results = []
    for batch in (1, 3):
        network = BrightThings().eval()
        predictor = Predictor(network, torch.device("cpu"), torch.float32, batch)
        assembly = Assembly(plane.shape)
        found = find_in_tiles(
            Scaled(plane, 1.0), tiles, predictor, slack=32, skip_background=True
        )
        for number, part in enumerate(found):
            assembly.add(number, part)
        results.append(assembly.finish())
        assert max(shape[0] for shape in network.seen) == (1 if batch == 1 else 2)
    np.testing.assert_array_equal(
        results[0].instances.to_labels(), results[1].instances.to_labels()
    )
    np.testing.assert_array_equal(results[0].semantic, results[1].semantic)


def test_steps_count_up_to_the_total_and_can_be_left():
    image, _ = discs((500, 300), 24, 40)
    model = bright_model()
    config = SegmentConfig(tile=256, diameter=24)
    steps = list(segment_iter(image, model, config))
    assert steps == [TileDone(i + 1, len(steps)) for i in range(len(steps))]
    assert len(model.network.seen) == len(steps)
    stopped = segment_iter(image, model, config)
    next(stopped)
    stopped.close()
    assert len(model.network.seen) == len(steps) + 1


LARGE = (28 * 80) ** 0.5
"""Pixels that objects come to which are larger than those in training."""


@pytest.mark.parametrize(("diameter", "spacing"), [(150, 200), (220, 300)])
def test_large_objects_are_found_by_themselves_and_when_told(diameter, spacing):
    image, true = discs((2 * spacing, 2 * spacing), diameter, spacing)
    result = segment(image, bright_model(), diameter="auto")
    assert matched_ious(true, result.labels).min() > 0.95
    assert len(result.objects) == 4
    assert result.record.diameter == pytest.approx(diameter, rel=0.1)
    assert result.record.scale == pytest.approx(LARGE / diameter, rel=0.1)
    assert any("pixels; the image was segmented at" in note for note in result.notes)
    told = segment(image, bright_model(), diameter=diameter)
    assert matched_ious(true, told.labels).min() > 0.95


def test_small_objects_are_found_by_themselves():
    image, true = discs((120, 130), 5, 10)
    result = segment(image, bright_model())
    assert len(result.objects) == true.max()
    assert matched_ious(true, result.labels).mean() > 0.85


@pytest.mark.parametrize(
    ("diameter", "scale"), [(11, 1), (53, 1), (7, 4), (140, LARGE / 140)]
)
def test_a_given_diameter_rescales_only_outside_the_range(diameter, scale):
    image, _ = discs((70, 60), 20, 30)
    model = bright_model()
    segment(image, model, diameter=diameter)
    assert model.network.seen == [(1, 3, round(70 * scale), round(60 * scale))]


def test_an_image_of_usual_objects_goes_through_once_at_its_own_scale():
    image, _ = discs((200, 200), 20, 40)
    model = bright_model()
    result = segment(image, model)
    # And once reduced to a third; a ninth of it would be too small to look at.
    assert model.network.seen == [(1, 3, 200, 200), (1, 3, 67, 67)]
    assert result.record.scale == 1


def test_rescaled_tiles_are_not_shifted():
    # Every object is 140 px wide and comes to 47: an offset of half a pixel of
    # the network would be 1.5 pixels here.
    image, true = discs((1500, 1400), 140, 180, shift=7)
    model = bright_model()
    result = segment(image, model, diameter=140, tile=160)
    assert len(model.network.seen) > 4
    assert len(result.objects) == true.max()
    assert matched_ious(true, result.labels).min() > 0.95
    for found in (result.labels > 0, result.semantic > 0):
        shift = np.argwhere(found).mean(0) - np.argwhere(true > 0).mean(0)
        assert np.abs(shift).max() < 0.5


@pytest.mark.parametrize(
    ("image", "word"),
    [
        (np.full((50, 60), np.nan), "no finite pixel"),
        (np.full((50, 60), 7, np.uint8), "constant"),
        (np.zeros((50, 60, 3), np.float32), "constant"),
        (np.ones((1, 1)), "too narrow"),
        (np.random.default_rng(0).normal(size=(1, 10000)), "too narrow"),
    ],
)
def test_images_without_content_give_an_empty_result_and_a_word(image, word):
    model = bright_model()
    result = segment(image, model)
    assert result.labels.shape == result.semantic.shape == image.shape[:2]
    assert result.labels.max() == result.semantic.max() == 0
    assert len(result.objects) == len(result.instances) == 0
    assert word in result.notes[0]
    assert model.network.seen == []


def test_an_image_without_objects_gives_no_objects():
    noise = np.random.default_rng(0).normal(size=(64, 64))
    result = segment(noise, bright_model(), all_tiles=True)
    assert len(result.objects) == 0
    assert result.record.diameter is None


def test_the_score_threshold_is_the_models_or_the_given_one():
    image, _ = discs((120, 120), 20, 40)
    assert segment(image, bright_model()).record.score_threshold == 0.5
    strict = segment(image, bright_model(), score_threshold=0.95)
    assert len(strict.objects) == 0
    assert len(strict.instances) == 9


def test_channels_are_chosen_by_name_and_the_user_is_told():
    nuclei, _ = discs((100, 100), 20, 50)
    image = np.stack([np.zeros_like(nuclei), nuclei])
    result = segment(image, bright_model(), axes="CYX", channel_names=("actin", "DAPI"))
    assert len(result.objects) == 4
    assert "DAPI" in result.notes[0]


def test_a_stack_is_refused_with_its_shape_and_the_option():
    with pytest.raises(ValueError, match=r"\(5, 60, 70\).*--axes"):
        segment(np.zeros((5, 60, 70)), bright_model())


def test_unknown_options_and_small_tiles_are_refused():
    image, _ = discs((300, 300), 20, 40)
    with pytest.raises(ValueError, match="diametre"):
        segment(image, bright_model(), diametre=3)
    with pytest.raises(ValueError, match="tile 64 is too small"):
        segment(image, bright_model(), tile=64)


def test_the_same_image_gives_the_same_result():
    image, _ = discs((300, 300), 24, 34)
    first, second = (segment(image, bright_model(), tile=192) for _ in range(2))
    np.testing.assert_array_equal(first.labels, second.labels)
    assert first.objects.equals(second.objects)


def test_the_record_is_json():
    image, _ = discs((80, 80), 20, 40)
    record = segment(image, bright_model(), tile=0).record
    told = json.loads(record.model_dump_json())
    assert told["model"] == "bright"
    assert told["options"]["tile"] == 0
    assert told["device"] == "cpu"
    assert "torch" in told["versions"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"diam": 30}, "^There is no option diam.$"),
        ({"diameter": -1}, "^diameter -1 should be 'auto' or greater than"),
        ({"score_threshold": 2}, "^score_threshold 2 should be less than"),
    ],
)
def test_options_that_mean_nothing_are_named_in_a_sentence(options, words):
    with pytest.raises(ValueError, match=words):
        segment(np.zeros((50, 50)), bright_model(), **options)
