"""What became of a folder of images, and the way to the worst of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari.utils.notifications import show_warning
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget

from napari_pffnet._qt.folder_plan import report
from napari_pffnet._qt.layers import finest
from napari_pffnet._qt.placement import Placement
from napari_pffnet._qt.sentences import in_the_window

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Image, Labels

    from napari_pffnet.messages import FolderDone

_PLUGIN = "napari-pffnet"


class FolderResult(QWidget):
    """A button that opens the image whose objects are worst.

    Signals
    -------
    complained
        A sentence about something that could not be done.
    """

    complained = Signal(str)

    def __init__(self, viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._done: FolderDone | None = None
        self.worst_button = QPushButton(self)
        self.worst_button.setToolTip("The one whose objects have the lowest quality.")
        self.worst_button.clicked.connect(self._on_worst_clicked)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.worst_button)
        self.clear()

    def clear(self) -> None:
        """Forget the last run."""
        self._done = None
        self.hide()

    def show_end(self, done: FolderDone, seconds: float) -> str:
        """Offer what can be done now; return what the user reads."""
        self._done = done
        self.worst_button.setText(f"Open the worst image, {Path(done.worst).name}")
        self.setVisible(bool(done.worst))
        if done.failures:
            number = len(done.failures)
            show_warning(
                f"{number} of {done.images + number} images could not be segmented; "
                "the Segment widget and summary.csv say why."
            )
        lines = report(done, seconds)
        return "\n".join(in_the_window(line, of_folder=True) for line in lines)

    def _on_worst_clicked(self) -> None:
        if self._done is None:
            return
        image = Path(self._done.worst)
        folder = Path(self._done.summary).parent
        names = (f"{image.stem}_labels.tif", f"{image.stem}_labels.zarr")
        labels = [folder / name for name in names if (folder / name).exists()]
        try:
            shown = self._viewer.open(str(image), plugin="napari")
            if labels:
                objects = self._viewer.open(str(labels[0]), plugin=_PLUGIN)
                _put_on(shown[0], objects[0])
        except (ValueError, OSError) as error:
            self.complained.emit(str(error))


def _put_on(image: Image, labels: Labels) -> None:
    """Lay labels on their image, which napari may have named after another one."""
    place = Placement.of_labels(finest(labels).shape, image)
    if place is not None:
        place.apply_to(labels)
