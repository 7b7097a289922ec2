from pathlib import Path

import pytest

from napari_pffnet.folders import find_images


def test_a_list_names_images_seen_from_its_folder(images, tmp_path, monkeypatch):
    listed = tmp_path / "list.txt"
    text = f"# of Monday\r\n\r\nimages/c.png\r\n  {images[0]}  \r\n"
    listed.write_bytes(b"\xef\xbb\xbf" + text.encode())
    monkeypatch.chdir("/")
    assert find_images([str(listed)]) == [images[2], images[0]]


def test_folders_patterns_and_lists_name_each_image_once(images, tmp_path):
    listed = tmp_path / "list.txt"
    listed.write_text("images/b.png\n")
    inputs = [listed, tmp_path / "images" / "*.png", tmp_path / "images"]
    assert find_images(map(str, inputs)) == [images[1], images[0], images[2]]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a.png\n\nb.png\n", "Line 1 of "),
        (b"images/a.png\nimages\n", "Line 2 of "),
        (b"# nothing\n\n", "names no image"),
        (b"images/\xe4.png\n", "no text in UTF-8"),
    ],
)
def test_a_list_with_a_mistake_is_refused_in_a_sentence(
    images, tmp_path, content, said
):
    listed = tmp_path / "list.txt"
    listed.write_bytes(content)
    with pytest.raises(ValueError, match=said) as caught:
        find_images([str(listed)])
    assert str(listed) in str(caught.value)


def test_patterns_leave_out_what_the_program_wrote(images, tmp_path):
    images[0].with_name("a_labels.tif").write_bytes(images[0].read_bytes())
    images[0].with_name("a_overlay.png").write_bytes(images[0].read_bytes())
    assert find_images([str(tmp_path / "images" / "*")]) == images
    with pytest.raises(ValueError, match="named like results of this program"):
        find_images([str(tmp_path / "images" / "*_labels.tif")])


def test_what_names_nothing_is_refused():
    with pytest.raises(ValueError, match="no file, folder or pattern 'nowhere'"):
        find_images([str(Path("nowhere"))])


def test_an_empty_input_does_not_mean_this_folder(images, monkeypatch):
    monkeypatch.chdir(images[0].parent)
    with pytest.raises(ValueError, match="An input is empty"):
        find_images([""])
