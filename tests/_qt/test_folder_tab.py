"""Folders of images in the Segment widget, with the real child process."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import imageio.v3 as iio
import numpy as np
import pandas as pd
import pytest
import tifffile
from napari.utils.notifications import notification_manager
from qtpy.QtCore import Qt
from qtpy.QtGui import QGuiApplication

from napari_pffnet import load_sample
from napari_pffnet._qt.folder_panel import FolderPanel
from napari_pffnet._qt.folder_plan import FolderChoices, make_request, report
from napari_pffnet._qt.folder_result import FolderResult
from napari_pffnet._qt.jobs import jobs
from napari_pffnet.cli.app import app
from napari_pffnet.config import OutputConfig, SegmentConfig
from napari_pffnet.export.labels import write_labels
from napari_pffnet.folders.jobs import ENDINGS, OVERLAY
from napari_pffnet.folders.writers import writable
from napari_pffnet.messages import FolderDone

if TYPE_CHECKING:
    from napari import Viewer
    from pytestqt.qtbot import QtBot

    from napari_pffnet._qt.segment_widget import SegmentWidget

TIMEOUT = 300_000


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder with two corners of the sample with nuclei."""
    folder = tmp_path / "my images"
    folder.mkdir()
    sample = load_sample("fluorescence").image
    iio.imwrite(folder / "a.png", sample[:128, :160])
    tifffile.imwrite(folder / "b.tif", sample[-128:, -160:])
    return folder


def open_tab(viewer: Viewer, images: Path) -> SegmentWidget:
    """Open the widget at its second tab."""
    _, widget = viewer.window.add_plugin_dock_widget("napari-pffnet", "Segment")
    widget.form.tabs.setCurrentIndex(1)
    widget.form.folder.images.setValue(str(images))
    return widget


def click(widget: SegmentWidget, qtbot: QtBot) -> None:
    qtbot.mouseClick(widget.segment_button, Qt.MouseButton.LeftButton)


def wait_for_end(widget: SegmentWidget, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: widget.segment_button.text() == "Segment", timeout=TIMEOUT)


# ----------------------------------------------------------------------- choices

CHOICES = FolderChoices(
    images="in",
    results="out",
    output=OutputConfig(
        formats=("csv", "zarr", "coco"), overlay=False, link="z", overwrite=True
    ),
    channel="DAPI",
    axes="CYX",
    score=0.25,
)


@pytest.mark.parametrize("value", [CHOICES, FolderChoices()])
def test_a_value_comes_back_as_it_was(qtbot: QtBot, value: FolderChoices) -> None:
    panel = FolderPanel()
    qtbot.addWidget(panel)
    panel.setValue(value)
    assert panel.value() == value
    with qtbot.assertNotEmitted(panel.valueChanged):
        panel.setValue(panel.value())


def test_a_change_is_told_once(qtbot: QtBot) -> None:
    panel = FolderPanel()
    qtbot.addWidget(panel)
    told: list[FolderChoices] = []
    panel.valueChanged.connect(lambda: told.append(panel.value()))
    panel.setValue(CHOICES)
    assert told == [CHOICES]
    panel.formats["tiff"].click()
    assert told[-1].output.formats == ("tiff", "csv", "zarr", "coco")


def test_it_is_told_which_files_cannot_hold_stacks(qtbot: QtBot) -> None:
    panel = FolderPanel()
    qtbot.addWidget(panel)
    refused = [name for name in panel.formats if not can_hold_stacks(ENDINGS[name])]
    warned = [n for n, box in panel.formats.items() if "stacks" in box.toolTip()]
    assert warned == refused == ["coco"]
    assert writable((OVERLAY,), "Z", "a.tif") == ()
    assert "left out of stacks" in panel.picture.toolTip()


def can_hold_stacks(endings: tuple[str, ...]) -> bool:
    try:
        return writable(endings, "Z", "a.tif") == endings
    except ValueError:
        return False


def test_the_tab_decides_what_is_shown(viewer: Viewer, images: Path) -> None:
    widget = open_tab(viewer, images)
    assert not widget.form.image.isVisibleTo(widget)
    assert widget.form.folder.isVisibleTo(widget)
    assert widget.shown.isHidden()
    widget.form.tabs.setCurrentIndex(0)
    assert widget.form.folder.isHidden()
    assert not widget.shown.isHidden()


@pytest.mark.parametrize(
    ("images", "results"),
    [
        ("data/plate 1", "data/plate 1/results"),
        ("data/*_dapi.tif", "data/results"),
        ("data/list.txt", "data/results"),
        ("data/plate.2", "data/plate.2/results"),
        ("data/cells_?.lsm", "data/results"),
        ("data/slide.zarr", "data/results"),
    ],
)
def test_results_lie_beside_the_images(images: str, results: str) -> None:
    assert out_of(images) == Path(results)


@pytest.mark.parametrize("name", ["plate.1", "plate [1]", "day.tif"])
def test_results_of_a_folder_lie_in_it_whatever_its_name(
    tmp_path: Path, name: str
) -> None:
    folder = tmp_path / name
    folder.mkdir()
    assert out_of(str(folder)) == folder / "results"
    (tmp_path / "slide.zarr").mkdir()
    assert out_of(str(tmp_path / "slide.zarr")) == tmp_path / "results"


def out_of(images: str) -> Path:
    """Return where the results go if the user names only the images."""
    request = make_request(
        FolderChoices(images=images), model="m", device="cpu", config=SegmentConfig()
    )
    return Path(request.out)


def test_a_pattern_of_folders_needs_a_place_for_the_results() -> None:
    with pytest.raises(ValueError, match="Choose a folder for the results"):
        make_request(
            FolderChoices(images="data/*/a.tif"),
            model="m",
            device="cpu",
            config=SegmentConfig(),
        )


def test_many_failures_are_counted_and_some_are_named() -> None:
    failures = {f"images/{i}.png": f"images/{i}.png is damaged." for i in range(8)}
    failures["images/8.png"] = "It is damaged."
    done = FolderDone(
        images=1, skipped=0, objects=1, failures=failures, notes={}, summary="s.csv"
    )
    lines = report(done, 3.21)
    assert lines[:3] == [
        "1 image, 1 object, in 3.2 s.", "9 images failed:", "0.png is damaged.",
    ]  # fmt: skip
    assert lines[-2:] == [
        "4 more are listed in the table.", "A row for each image: s.csv",
    ]  # fmt: skip


def test_the_command_and_the_python_say_what_a_click_would_do(
    viewer: Viewer, images: Path
) -> None:
    widget = open_tab(viewer, images)
    widget.form.folder.channel.setText("0")
    widget.copy_as_command()
    words = shlex.split(QGuiApplication.clipboard().text())
    assert words[1:5] == ["segment", str(images), "--out", str(images / "results")]
    assert words[-1] == "--resume"
    app.parse_args(words[1:], exit_on_error=False, print_error=False)
    widget.copy_as_python()
    text = QGuiApplication.clipboard().text()
    assert f"pff.segment_files({str(images)!r}, 'nuclei', out=" in text
    compile(text, "copied", "exec")


# -------------------------------------------------------------------------- runs


def test_a_folder_is_segmented_and_its_worst_image_opened(
    viewer: Viewer, qtbot: QtBot, images: Path
) -> None:
    (images / "broken.png").write_bytes(b"no picture")
    widget = open_tab(viewer, images)
    warned: list[str] = []
    notification_manager.notification_ready.connect(lambda n: warned.append(n.message))
    steps: list[str] = []
    click(widget, qtbot)
    assert widget.segment_button.text() == "Cancel"
    jobs().running.progressed.connect(lambda step: steps.append(step.text))
    wait_for_end(widget, qtbot)

    assert any("image 2 of 3" in text for text in steps)
    text = widget.status.text()
    assert "2 images" in text
    assert "broken.png cannot be read" in text
    assert any("1 of 3 images could not be segmented" in text for text in warned)
    table = pd.read_csv(images / "results" / "summary.csv")
    assert table["objects"].notna().sum() == 2
    row = table.iloc[table["median_quality"].argmin()]
    worst = Path(row["image"])
    assert len(viewer.layers) == 0

    assert worst.name in widget.result.worst_button.text()
    widget.result.worst_button.click()

    names = [layer.name for layer in viewer.layers]
    assert names == [worst.stem, f"{worst.stem} instances"]
    assert (
        viewer.layers[1].data.max()
        == table["objects"][table["median_quality"].argmin()]
    )
    assert "quality" in viewer.layers[1].features


def test_objects_lie_on_the_worst_image_whatever_else_is_open(
    viewer: Viewer, qtbot: QtBot, tmp_path: Path
) -> None:
    pixels = np.zeros((20, 30), np.uint16)
    tifffile.imwrite(
        tmp_path / "a.tif", pixels, imagej=True, resolution=(2, 2),
        metadata={"unit": "um"},
    )  # fmt: skip
    write_labels(pixels, tmp_path / "a_labels.tif", pixel_size_um=0.5)
    viewer.add_image(pixels, name="a", scale=(7, 7))
    result = FolderResult(viewer)
    qtbot.addWidget(result)
    done = FolderDone(
        images=1, skipped=0, objects=1, failures={}, notes={},
        worst=str(tmp_path / "a.tif"), summary=str(tmp_path / "summary.csv"),
    )  # fmt: skip
    result.show_end(done, seconds=1)

    result.worst_button.click()

    image, labels = viewer.layers[1:]
    assert labels.name == "a instances"
    assert labels.extent.world.tolist() == image.extent.world.tolist()
    assert labels.units == image.units


def test_what_is_done_is_skipped_and_foreign_files_are_named(
    viewer: Viewer, qtbot: QtBot, images: Path
) -> None:
    widget = open_tab(viewer, images)
    (images / "results").mkdir()
    foreign = images / "results" / "b_labels.tif"
    foreign.write_text("precious")
    click(widget, qtbot)
    wait_for_end(widget, qtbot)
    assert "choose “replace” under “Existing”" in widget.status.text()
    assert "--" not in widget.status.text()
    assert foreign.read_text() == "precious"
    foreign.unlink()
    for expected in ("2 images, ", "2 images, 2 of them done before"):
        click(widget, qtbot)
        wait_for_end(widget, qtbot)
        assert widget.status.text().startswith(expected)


def test_cancel_keeps_what_is_done_and_segment_goes_on(
    viewer: Viewer, qtbot: QtBot, images: Path
) -> None:
    for number in range(40):
        (images / f"c{number}.png").write_bytes((images / "a.png").read_bytes())
    widget = open_tab(viewer, images)
    click(widget, qtbot)
    done = images / "results" / "a_run.json"
    qtbot.waitUntil(done.exists, timeout=TIMEOUT)
    click(widget, qtbot)
    qtbot.waitUntil(lambda: widget.segment_button.text() == "Segment", timeout=5000)
    assert "Cancelled" in widget.status.text()
    assert "goes on" in widget.status.text()
    before = done.stat().st_mtime_ns
    for path in images.glob("c*.png"):
        path.unlink()
    click(widget, qtbot)
    wait_for_end(widget, qtbot)
    assert "done before" in widget.status.text()
    assert done.stat().st_mtime_ns == before
    assert not list((images / "results").glob(".*"))


def test_a_cancelled_run_that_replaces_says_how_to_go_on(
    viewer: Viewer, qtbot: QtBot, images: Path
) -> None:
    widget = open_tab(viewer, images)
    existing = widget.form.folder.existing
    existing.setCurrentText("replace")
    click(widget, qtbot)
    click(widget, qtbot)
    qtbot.waitUntil(lambda: widget.segment_button.text() == "Segment", timeout=5000)
    text = widget.status.text()
    assert "Segment begins with the first image again" in text
    assert f"“{existing.itemText(0)}” under “Existing”" in text


def test_without_a_folder_the_widget_says_what_to_do(
    viewer: Viewer, qtbot: QtBot
) -> None:
    _, widget = viewer.window.add_plugin_dock_widget("napari-pffnet", "Segment")
    widget.form.tabs.setCurrentIndex(1)
    click(widget, qtbot)
    assert widget.status.text() == "Choose a folder of images first."
    assert widget.segment_button.text() == "Segment"


@pytest.mark.parametrize("mistake", ["missing", "empty", "no format", "unwritable"])
def test_a_mistake_is_no_crash(
    viewer: Viewer, qtbot: QtBot, images: Path, mistake: str
) -> None:
    widget = open_tab(viewer, images)
    panel = widget.form.folder
    if mistake == "missing":
        panel.images.setValue(str(images / "nope"))
    elif mistake == "empty":
        (images / "none").mkdir()
        panel.images.setValue(str(images / "none"))
    elif mistake == "no format":
        for box in (*panel.formats.values(), panel.picture):
            box.setChecked(False)
    else:
        panel.results.setValue(str(images / "a.png"))
    before = len(notification_manager.records)

    click(widget, qtbot)
    wait_for_end(widget, qtbot)

    (notice,) = notification_manager.records[before:]
    assert notice.severity == "warning"
    assert notice.message == widget.status.text()


def test_choices_of_a_folder_live_on(
    viewer: Viewer, qtbot: QtBot, images: Path
) -> None:
    (images / "b.tif").unlink()
    iio.imwrite(images / "a.png", np.full((40, 40), 7, np.uint8))
    widget = open_tab(viewer, images)
    widget.form.folder.formats["geojson"].setChecked(True)
    click(widget, qtbot)
    wait_for_end(widget, qtbot)
    assert (images / "results" / "a_objects.geojson").exists()

    again = open_tab(viewer, images)

    assert again.form.folder.value() == widget.form.folder.value()
    again.restore_defaults()
    assert again.form.folder.value() == FolderChoices()
