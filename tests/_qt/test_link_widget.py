"""The Link widget: a new layer in which an object has one number in all planes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dask.array as da
import numpy as np
import pandas as pd
import pytest
from napari.utils.notifications import notification_manager

from napari_pffnet._qt.layers import METADATA_KEY, features_from_table
from napari_pffnet.candidates import PlaneCandidates
from napari_pffnet.instances import Instances

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Labels
    from pytestqt.qtbot import QtBot

    from napari_pffnet._qt.link_widget import LinkWidget


def open_widget(viewer: Viewer) -> LinkWidget:
    """Open it as the menu does, which hands it a proxy of the viewer."""
    _, widget = viewer.window.add_plugin_dock_widget(
        "napari-pffnet", "Link objects across slices"
    )
    return widget


def link(widget: LinkWidget, qtbot: QtBot) -> None:
    widget.link_button.click()
    qtbot.waitUntil(widget.link_button.isEnabled, timeout=60_000)


def told() -> str:
    return notification_manager.records[-1].message


def axes_of(widget: LinkWidget) -> list[str]:
    return [widget.axis.itemData(i) for i in range(widget.axis.count())]


def add_result(viewer: Viewer, axes: str = "Z", **options: object) -> Labels:
    """Show two planes with an object that goes on, and one that does not."""
    plane = np.zeros((30, 40), np.int32)
    plane[2:12, 2:12] = 1
    first = Instances.from_labels(plane, [1], [0.9], [0.8])
    plane[20:25, 30:35] = 2
    second = Instances.from_labels(plane, [1, 1], [0.9, 0.7], [0.4, 0.6])
    found = PlaneCandidates((first, second), (2,), axes, ("nucleus",), 0.7, 0.5).paint()
    options = {"name": "a instances"} | options
    features = features_from_table(found.table)
    return viewer.add_labels(found.labels, features=features, **options)


def test_a_click_adds_a_layer_in_which_each_object_has_one_number(
    viewer: Viewer, qtbot: QtBot
) -> None:
    old = add_result(
        viewer, scale=(2, 0.5, 0.5), translate=(1, 2, 3), units=("um",) * 3
    )
    before = old.data.copy()
    widget = open_widget(viewer)
    link(widget, qtbot)

    new = viewer.layers["a instances linked"]
    assert [np.unique(p).tolist() for p in new.data] == [[0, 1], [0, 1, 2]]
    assert new.features.loc[1:, "area"].tolist() == [200, 25]
    assert new.features.loc[1:, "worst_quality"].tolist() == pytest.approx([0.4, 0.6])
    assert new.scale.tolist() == [2, 0.5, 0.5]
    assert new.translate.tolist() == [1, 2, 3]
    kept = new.metadata[METADATA_KEY]
    assert kept["linked"] == {"axis": "Z", "min_overlap": 0.25, "gap": 0}
    assert kept["parts"]["label"].tolist() == [1, 1, 2]
    assert widget.status.text().startswith("2 objects from 3 outlines")
    np.testing.assert_array_equal(old.data, before)
    assert len(old.features) == 4


def test_another_try_begins_with_the_same_layer(viewer: Viewer, qtbot: QtBot) -> None:
    old = add_result(viewer)
    old.data[1] = np.roll(old.data[1], 6, axis=1)
    old.refresh()
    widget = open_widget(viewer)
    widget.options.editor("min_overlap").setValue(0.5)
    link(widget, qtbot)
    assert viewer.layers[-1].data.max() == 3

    widget.options.editor("min_overlap").setValue(0.2)
    link(widget, qtbot)

    assert widget.layer.value() is old
    assert viewer.layers[-1].data.max() == 2


def test_the_table_tells_what_the_planes_are(viewer: Viewer, qtbot: QtBot) -> None:
    add_result(viewer, axes="T")
    widget = open_widget(viewer)
    assert axes_of(widget) == ["t"]
    link(widget, qtbot)
    assert viewer.layers[-1].features.loc[1:, "bbox_t1"].tolist() == [2, 2]

    viewer.add_labels(np.zeros((2, 3, 8, 8), np.int32))
    assert axes_of(widget) == ["z", "t"]
    viewer.add_labels(np.zeros((8, 8), np.int32))
    assert axes_of(widget) == []


def test_labels_of_other_programs_are_linked_as_the_user_says(
    viewer: Viewer, qtbot: QtBot
) -> None:
    labels = np.zeros((3, 1, 20, 20), np.uint16)
    for plane in range(3):
        labels[plane, 0, 5:15, 5:15] = plane + 1
    viewer.add_labels(da.from_array(labels), name="theirs")
    widget = open_widget(viewer)
    widget.axis.setCurrentIndex(widget.axis.findData("t"))
    link(widget, qtbot)

    new = viewer.layers["theirs linked"]
    assert new.data.shape == labels.shape
    assert new.features.loc[1, ["planes", "bbox_t1", "area"]].tolist() == [3, 3, 300]


def test_a_layer_of_channels_of_stacks_of_a_film_is_linked(
    viewer: Viewer, qtbot: QtBot
) -> None:
    labels = np.zeros((2, 1, 2, 20, 20), np.int32)
    labels[..., 5:15, 5:15] = np.arange(1, 5).reshape(2, 1, 2, 1, 1)
    viewer.add_labels(labels)
    link(open_widget(viewer), qtbot)
    assert viewer.layers[-1].data[:, 0, :, 5, 5].tolist() == [[1, 1], [2, 2]]


def test_axes_are_linked_in_the_order_of_the_table(
    viewer: Viewer, qtbot: QtBot
) -> None:
    # A stack of films: two slices of three frames.
    labels = np.zeros((2, 3, 20, 20), np.int32)
    labels[:, :, 5:15, 5:15] = np.arange(1, 7).reshape(2, 3, 1, 1)
    table = pd.DataFrame({"label": range(1, 7), "z": [0, 0, 0, 1, 1, 1]})
    features = features_from_table(table.assign(t=[0, 1, 2] * 2))
    viewer.add_labels(labels, features=features)
    widget = open_widget(viewer)
    widget.axis.setCurrentIndex(widget.axis.findData("z"))
    link(widget, qtbot)
    assert viewer.layers[-1].data[..., 5, 5].tolist() == [[1, 2, 3], [1, 2, 3]]


def test_without_planes_one_sentence_says_so(viewer: Viewer) -> None:
    widget = open_widget(viewer)
    widget.link_button.click()
    assert told().startswith("There is no Labels layer")

    viewer.add_labels(np.ones((8, 8), np.int32), name="flat")
    widget.link_button.click()
    assert told().startswith("The layer 'flat' has no slices or frames to link")
    assert len(viewer.layers) == 1


def test_what_is_linked_already_is_told_and_left(viewer: Viewer, qtbot: QtBot) -> None:
    viewer.add_labels(np.ones((2, 8, 8), np.int32))
    link(open_widget(viewer), qtbot)
    assert "linked already" in told()
    assert len(viewer.layers) == 1
