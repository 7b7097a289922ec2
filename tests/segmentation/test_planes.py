from __future__ import annotations

import dask.array as da
import numpy as np
import pandas as pd
import pytest

from napari_pffnet.candidates import LiveObjects
from napari_pffnet.config import Region, SegmentConfig
from napari_pffnet.data import normalize
from napari_pffnet.segmentation import (
    PlaneDone,
    segment,
    segment_planes,
    segment_planes_iter,
)

from .bright import bright_model, discs

SHAPE = (100, 120)


def stack_of(*brightness, diameter=20, spacing=40, shape=SHAPE):
    """Return planes of the same discs, each so bright, on the same background."""
    image, _ = discs(shape, diameter, spacing)
    return np.stack([100 + (image - 100) * factor for factor in brightness])


class Lazy:
    """An array that remembers how many pixels were read at once."""

    def __init__(self, array):
        self.array, self.shape, self.most = array, array.shape, 0

    def __getitem__(self, index):
        part = self.array[index]
        self.most = max(self.most, part.size)
        return part


@pytest.mark.parametrize(
    ("axes", "names"), [("YX", ()), ("YXS", ()), ("CYX", ("actin", "DAPI"))]
)
def test_one_plane_gives_what_segment_gives(axes, names):
    image, _ = discs(SHAPE, 20, 40)
    if axes == "YXS":
        image = np.stack([image, image / 2, image], -1)
    elif axes == "CYX":
        image = np.stack([np.ones_like(image), image])
    planes = segment_planes(image, bright_model(), axes=axes, channel_names=names)
    alone = segment(image, bright_model(), axes=axes, channel_names=names)
    np.testing.assert_array_equal(planes.labels, alone.labels)
    np.testing.assert_array_equal(planes.semantic, alone.semantic)
    pd.testing.assert_frame_equal(planes.table, alone.objects)
    assert planes.notes == alone.notes
    assert planes.record == alone.record
    assert len(alone.objects) == 6


def test_objects_of_all_planes_are_counted_through():
    image = np.zeros((2, 3, 2, *SHAPE), np.float32)  # Z, T, C
    image[1, 0, 1], image[1, 2, 1] = stack_of(1, 1)
    result = segment_planes(
        image, bright_model(), axes="ZTCYX", channels=(1,), pixel_size_um=0.5
    )
    assert result.labels.shape == result.semantic.shape == (2, 3, *SHAPE)
    assert result.candidates.axes == "ZT"
    assert result.table["label"].tolist() == list(range(1, 13))
    assert result.table["z"].tolist() == [1] * 12
    assert result.table["t"].tolist() == [0] * 6 + [2] * 6
    areas = np.bincount(result.labels.ravel())[1:]
    assert result.table["area"].tolist() == areas.tolist()
    assert result.table["area_um2"][0] == areas[0] / 4
    assert set(np.unique(result.labels[1, 2])) == {0, *range(7, 13)}
    np.testing.assert_array_equal(result.semantic > 0, result.labels > 0)


def test_intensities_are_those_of_the_whole_stack():
    image = stack_of(1, 0.2)
    assert len(segment(image[1], bright_model()).objects) == 6
    result = segment_planes(image, bright_model(), axes="ZYX")
    assert result.table["z"].tolist() == [0] * 6


def test_one_size_holds_for_all_planes_that_of_the_first_with_objects():
    image = stack_of(1, 1, 0, 1, diameter=5, spacing=10, shape=(50, 60))
    model = bright_model()
    result = segment_planes(image, model, axes="TYX")
    assert result.record.diameter == pytest.approx(5, rel=0.2)
    # The middle plane is empty, so the size is looked for in the next, once.
    magnified = (round(50 * result.record.scale), round(60 * result.record.scale))
    assert [shape[2:] for shape in model.network.seen[-3:]] == [magnified] * 3
    assert len(result.table) == 3 * 30
    given = bright_model()
    segment_planes(image, given, axes="TYX", diameter=20)
    assert len(given.network.seen) == 3


def test_what_concerns_some_planes_is_said_with_their_number():
    result = segment_planes(stack_of(1, 0, 0), bright_model(), axes="ZYX")
    (note,) = result.notes
    assert note.endswith("nothing was segmented. (2 of 3 planes)")


def test_steps_count_the_planes_and_can_be_left():
    config = SegmentConfig(diameter=20, tile=192)
    image, model = stack_of(1, 1, shape=(300, 150)), bright_model()
    steps = list(segment_planes_iter(image, model, config, axes="ZYX"))
    assert steps == [
        PlaneDone(plane, 2, done, 3) for plane in (1, 2) for done in (1, 2, 3)
    ]
    assert [step.fraction for step in steps] == pytest.approx(
        [i / 6 for i in range(1, 7)]
    )
    stopped = segment_planes_iter(image, model, config, axes="ZYX")
    next(stopped)
    stopped.close()
    assert len(model.network.seen) == 7


def test_a_region_gives_its_part_of_the_whole_and_is_all_that_is_seen():
    image, _ = discs((400, 500), 20, 40)
    region = Region(y0=130, x0=190, y1=250, x1=301)
    whole = segment(image, bright_model(), diameter=20)
    model = bright_model()
    result = segment_planes(image, model, axes="YX", region=region, diameter=20)
    expected = np.zeros_like(whole.labels)
    inside = slice(130, 250), slice(190, 301)
    expected[inside] = whole.labels[inside]
    np.testing.assert_array_equal(result.labels > 0, expected > 0)
    np.testing.assert_array_equal(result.semantic > 0, expected > 0)
    assert len(result.table) == len(np.unique(expected)) - 1
    boxes = result.table[["bbox_y0", "bbox_x0", "bbox_y1", "bbox_x1"]]
    cut = (boxes.to_numpy() == [130, 190, 250, 301]).any(axis=1)
    np.testing.assert_array_equal(result.table["touches_border"], cut)
    assert 0 < cut.sum() < len(cut)
    assert model.network.seen == [(1, 3, 250, 269)]
    assert result.record.region == result.candidates.region == region


def test_intensities_of_a_region_are_those_of_the_whole_layer():
    image, _ = discs((100, 600), 20, 40)
    image[:, 300:] = 100 + (image[:, 300:] - 100) * 0.2
    region = Region(y0=0, x0=450, y1=100, x1=600)
    result = segment_planes(image, bright_model(), axes="YX", region=region)
    assert len(result.table) == 0


def test_a_region_is_cut_to_the_image_or_refused():
    image, _ = discs(SHAPE, 20, 40)
    beyond = Region(y0=-30, x0=60, y1=300, x1=500)
    result = segment_planes(image, bright_model(), axes="YX", region=beyond)
    assert result.record.region == Region(y0=0, x0=60, y1=100, x1=120)
    with pytest.raises(ValueError, match="holds no pixel of an image of 100 x 120"):
        segment_planes(
            image, bright_model(), axes="YX", region=Region(y0=0, x0=120, y1=9, x1=130)
        )


def test_planes_are_read_one_by_one(monkeypatch):
    monkeypatch.setattr(normalize, "MAX_SAMPLE", 5000)
    image = stack_of(1, 1, 1, 1)
    lazy = Lazy(image)
    result = segment_planes(lazy, bright_model(), axes="ZYX")
    assert lazy.most == image[0].size
    assert len(result.table) == 24


def test_a_dask_array_gives_what_it_holds():
    image = stack_of(1, 0.9).astype(np.uint16)
    lazy = da.from_array(image, chunks=(1, 64, 64))
    one, other = (segment_planes(a, bright_model(), axes="ZYX") for a in (image, lazy))
    np.testing.assert_array_equal(one.labels, other.labels)
    assert isinstance(other.labels, np.ndarray)


def test_without_a_semantic_branch_classes_are_painted():
    model = bright_model(semantic=False)
    result = segment_planes(stack_of(1, 0), model, axes="ZYX")
    np.testing.assert_array_equal(result.semantic, (result.labels > 0).astype(np.uint8))


def test_an_empty_stack_gives_an_empty_result():
    result = segment_planes(np.zeros((3, 1, 1)), bright_model(), axes="ZYX")
    assert result.labels.shape == (3, 1, 1)
    assert list(result.table.columns[:3]) == ["label", "z", "class"]
    assert "too narrow" in result.notes[0]


def test_the_live_threshold_starts_from_the_result():
    result = segment_planes(stack_of(1, 1), bright_model(), axes="ZYX")
    objects = LiveObjects(result.candidates, result.labels.copy(), result.table)
    assert not objects.repaint(0.95).labels.any()
    np.testing.assert_array_equal(objects.repaint(0.5).labels, result.labels)


@pytest.mark.parametrize("axes", ["YX", "ZYQ", "CSYX"])
def test_axes_that_do_not_fit_are_refused(axes):
    with pytest.raises(ValueError, match=r"\(2, 100, 120\)"):
        segment_planes(stack_of(1, 1), bright_model(), axes=axes)
