"""What layers of napari hold, as arrays and in pixels of the image."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pandas as pd
import pytest
from napari.layers import Image, Labels

from napari_pffnet._qt.layers import (
    describe_image,
    features_from_table,
    finest,
    guess_axes,
    possible_axes,
    table_from_features,
)
from napari_pffnet._qt.placement import Placement


@pytest.mark.parametrize(
    ("shape", "options", "axes"),
    [
        ((40, 50), {}, "YX"),
        ((40, 50, 3), {"rgb": True}, "YXS"),
        ((6, 40, 50), {}, "ZYX"),
        ((6, 40, 50, 3), {"rgb": True}, "ZYXS"),
        ((4, 6, 40, 50), {}, "TZYX"),
        ((40, 50, 5), {"rgb": False}, "YXC"),
        ((5, 40, 50), {"axis_labels": ("channel", "y", "x")}, "CYX"),
        ((5, 40, 50), {"axis_labels": ("time", "y", "x")}, "TYX"),
        ((5, 40, 50), {"axis_labels": ("plate", "y", "x")}, "ZYX"),
        ((2, 3, 6, 40, 50), {}, "TCZYX"),
    ],
)
def test_axes_are_those_that_napari_shows(
    shape: tuple[int, ...], options: dict[str, object], axes: str
) -> None:
    layer = Image(np.zeros(shape, np.uint8), **options)

    assert guess_axes(layer) == axes
    assert describe_image(layer).axes == axes


def test_what_a_stack_may_be_is_left_to_the_user() -> None:
    layer = Image(np.zeros((5, 40, 50), np.uint8), metadata={"channel_names": "ABCDE"})

    assert set(possible_axes(layer)) == {"ZYX", "TYX", "CYX"}
    layer.metadata["channel_names"] = ["DAPI", "GFP", "RFP", "Cy5", "BF"]
    source = describe_image(layer, "CYX")
    assert source.channel_count == 5
    assert source.channel_names == ("DAPI", "GFP", "RFP", "Cy5", "BF")
    assert source.shape_yx == (40, 50)


def test_too_many_axes_are_refused_with_a_sentence() -> None:
    layer = Image(np.zeros((1, 2, 2, 2, 8, 8), np.uint8), name="odd")

    with pytest.raises(ValueError, match=r"'odd'.*6 axes"):
        describe_image(layer)


def test_of_a_pyramid_the_highest_level_is_taken_unread() -> None:
    full = da.zeros((400, 500), chunks=100, dtype=np.uint8)
    layer = Image([full, full[::4, ::4]], multiscale=True)

    assert describe_image(layer).data is full
    assert describe_image(Image(full)).data is full


@pytest.mark.parametrize("kind", [Image, Labels])
def test_the_finest_array_is_the_one_of_a_layer_or_its_highest_level(kind) -> None:
    data = np.zeros((40, 50), np.uint8)

    assert finest(kind(data)).shape == (40, 50)
    assert finest(kind([data, data[::2, ::2]], multiscale=True)).shape == (40, 50)


@pytest.mark.parametrize(
    ("scale", "units", "size"),
    [
        ((0.5, 0.5), ("um", "um"), 0.5),
        ((325, 325), ("nm", "nm"), 0.325),
        ((0.5, 2.0), ("um", "um"), 1.0),
        ((0.5, 0.5), ("pixel", "pixel"), None),
        ((1, 1), None, None),
    ],
)
def test_pixel_size_needs_a_unit_of_length(
    scale: tuple[float, ...], units: tuple[str, ...] | None, size: float | None
) -> None:
    layer = Image(np.zeros((4, 4)), scale=scale, units=units)

    assert describe_image(layer).pixel_size_um == pytest.approx(size)


# ------------------------------------------------------------ where results lie


def test_results_lie_on_their_image() -> None:
    turn = np.array([[1, 0, 0], [0, 0.8, -0.6], [0, 0.6, 0.8]])
    image = Image(
        np.zeros((5, 60, 80)), scale=(3, 0.5, 0.4), translate=(1, 10, 20),
        rotate=turn, units=("um", "um", "um"), axis_labels=("z", "y", "x"),
    )  # fmt: skip
    place = Placement.on(image, "ZYX")

    labels = Labels(np.zeros(place.shape, int), **place.options)

    points = np.random.default_rng(0).uniform(0, 5, (4, 3))
    for point in points:
        assert labels.data_to_world(point) == pytest.approx(image.data_to_world(point))
    assert (labels.units, labels.axis_labels) == (image.units, image.axis_labels)


def test_of_channels_in_front_the_labels_have_none() -> None:
    image = Image(np.zeros((4, 60, 80)), scale=(1, 0.5, 0.4), translate=(0, 10, 20))

    place = Placement.on(image, "CYX")

    assert place.shape == (60, 80)
    assert place.options["scale"] == pytest.approx((0.5, 0.4))
    assert place.options["translate"] == pytest.approx((10, 20))


def test_behind_time_the_labels_span_all_channels() -> None:
    image = Image(np.zeros((3, 4, 60, 80)), scale=(1, 2, 1, 1))

    place = Placement.on(image, "TCYX")
    labels = Labels(np.zeros(place.shape, int), **place.options)

    assert place.shape == (3, 1, 60, 80)
    extents = labels.extent.world[:, 1], image.extent.world[:, 1]
    assert extents[0] == pytest.approx(extents[1] + [3, -3])
    for channel in range(4):
        at = labels.world_to_data(image.data_to_world((0, channel, 0, 0)))
        assert np.round(at[1]) == 0


# ------------------------------------------------------------ tables of objects


def test_row_k_of_the_features_is_label_k() -> None:
    table = pd.DataFrame(
        {
            "label": np.array([1, 2], np.int32),
            "index": [7, 8],
            "class": ["nucleus", "cell"],
            "score": np.array([0.9, 0.8], np.float32),
            "area": [12, 34],
            "touches_border": [True, False],
        }
    )

    features = features_from_table(table)

    assert features["area"].tolist() == [0, 12, 34]
    assert np.isnan(features["score"][0])
    assert "index" not in features
    kept = table.drop(columns="index")
    assert (features.dtypes == kept.dtypes).all()
    pd.testing.assert_frame_equal(table_from_features(features), kept)


def test_a_table_without_objects_has_one_row() -> None:
    table = pd.DataFrame({"label": np.array([], np.int32), "score": np.array([], "f4")})

    assert len(features_from_table(table)) == 1
