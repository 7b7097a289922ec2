"""Sentences of the core name the fields of the window."""

from __future__ import annotations

import pytest

from napari_pffnet._qt.sentences import in_the_window
from napari_pffnet.data.axes import name_axes


def unclear(axes: str | None) -> str:
    """Return what the core says of axes that it does not understand."""
    with pytest.raises(ValueError, match="unclear") as caught:
        name_axes((20, 30, 40), axes)
    return str(caught.value)


def test_of_a_folder_an_example_is_what_to_type() -> None:
    assert in_the_window(unclear("Q"), of_folder=True).endswith(
        "name each once under “Axes”, of Y, X, C (channels), S (colour), Z, T, for "
        "example CYX."
    )
    assert in_the_window(unclear(None), of_folder=True).endswith(
        "name them under “Axes”, for example CYX for channels first."
    )


def test_of_a_layer_the_axes_are_chosen_and_need_no_example() -> None:
    assert in_the_window(unclear("Q")).endswith("S (colour), Z, T.")
    assert in_the_window(unclear(None)).endswith("name them under “Slices are”.")
