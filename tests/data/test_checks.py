import numpy as np

from napari_pffnet.data.checks import (
    check_values,
    is_binary_mask,
    objects_in_pieces,
    split_components,
)


def test_components_of_equal_value_become_objects():
    labels = np.array([[1, 1, 0, 2], [0, 0, 0, 2], [1, 0, 2, 0], [0, 1, 0, 1]])
    split = split_components(labels)
    assert split.dtype == np.int32
    # Diagonal neighbours belong together, different values never do.
    assert split[0, 0] == split[0, 1]
    assert split[2, 0] == split[3, 1] != split[0, 0]
    assert split[1, 3] == split[2, 2] == split[0, 3]
    assert sorted(np.unique(split)) == [0, 1, 2, 3, 4]


def test_a_bool_mask_can_be_split():
    assert split_components(np.eye(3) > 2).max() == 0
    assert split_components(np.array([[True, False, True]])).tolist() == [[1, 0, 2]]


def test_objects_in_pieces_are_found_among_touching_ones():
    labels = np.array([[1, 2, 1, 3, 3, 0, 3]])
    assert objects_in_pieces(labels).tolist() == [1, 3]


def test_a_second_region_of_like_size_makes_a_binary_mask():
    labels = np.zeros((30, 30), int)
    labels[:10, :10] = 1
    assert not is_binary_mask(labels)
    labels[20:23, 20:23] = 1  # 9 pixels are less than a tenth of 100
    assert not is_binary_mask(labels)
    labels[20:24, 20:23] = 1
    assert is_binary_mask(labels)


def test_good_labels_give_no_finding():
    assert check_values(np.eye(4, dtype=bool), "a") == []
    assert check_values(np.eye(4), "a") == []


def test_findings_name_the_image():
    (finding,) = check_values(np.full((2, 2), -3), "plate 7")
    assert str(finding).startswith("plate 7: ")
    assert finding.severity == "error"
