"""The list of images and labels that a training learns from."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from napari.layers import Image, Labels
from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_pffnet._qt.layer_choice import LayerChoice
from napari_pffnet._qt.layers import (
    METADATA_KEY,
    describe_image,
    finest,
    is_class_map,
    table_from_features,
)
from napari_pffnet._qt.pairing import axes_beside, fits, image_of, labels_of
from napari_pffnet._qt.reviews import find_session, has_verdicts, load_session
from napari_pffnet._qt.training_data import PairSource

if TYPE_CHECKING:
    import pandas as pd
    from napari import Viewer

    from napari_pffnet.review import ReviewSession


_Layer = TypeVar("_Layer", Image | None, Labels | None)
_NOT_REVIEWED = "Made by a model and not reviewed yet."


class TrainingPairs(QWidget):
    """Chooses pairs of image and labels, and a folder of more.

    Signals
    -------
    valueChanged
        Other layers or another folder are chosen.
    """

    valueChanged = Signal()

    def __init__(self, viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self.rows: list[PairRow] = []
        self._build()
        self.add_row()

    def _build(self) -> None:
        self._list = QVBoxLayout()
        self.add_button = QPushButton("Add another pair", self)
        self.add_button.setToolTip("Learn from one more image with labels.")
        self.add_button.clicked.connect(self.add_row)
        self.folder = QLineEdit(self)
        self.folder.setPlaceholderText("and a folder of images (optional)")
        self.folder.setToolTip(
            "A folder with images/ and labels/ of equal file names, to learn from too."
        )
        self.folder.setClearButtonEnabled(True)
        self.folder.textChanged.connect(self.valueChanged)
        browse = QToolButton(self)
        browse.setText("…")
        browse.setToolTip("Choose a folder with images/ and labels/.")
        browse.clicked.connect(self._on_browse_clicked)
        below = QHBoxLayout()
        below.addWidget(self.folder, stretch=1)
        below.addWidget(browse)
        titles = QHBoxLayout()
        for title in ("Image", "Its labels"):
            titles.addWidget(QLabel(title, self), stretch=1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(titles)
        layout.addLayout(self._list)
        layout.addWidget(self.add_button)
        layout.addLayout(below)

    # ----------------------------------------------------------------- values

    def sources(self) -> list[PairSource]:
        """Return the chosen pairs; a row without image or labels counts for none.

        Raises
        ------
        ValueError
            If a layer is chosen twice, or an image is not understood.
        """
        chosen = [row for row in self.rows if row.image() and row.labels()]
        if (labels := _twice([row.labels() for row in chosen])) is not None:
            raise ValueError(
                f"{labels.name!r} is chosen twice; remove one of the two pairs."
            )
        if (image := _twice([row.image() for row in chosen])) is not None:
            raise ValueError(
                f"{image.name!r} is the image of two pairs; choose another image in "
                "one of them, or remove it."
            )
        return [row.source() for row in chosen]

    def labels(self) -> list[Labels]:
        """Return the chosen labels."""
        return [layer for row in self.rows if (layer := row.labels()) is not None]

    def add_row(self) -> PairRow:
        """Add a pair: labels that are not chosen yet, where there are any."""
        row = PairRow(self._viewer, self.rows, self)
        self.rows.append(row)
        self._list.addWidget(row)
        row.valueChanged.connect(self._on_row_changed)
        row.removeRequested.connect(lambda: self._remove_row(row))
        row.suggest([other.labels() for other in self.rows if other is not row])
        self._on_row_changed()
        return row

    def _remove_row(self, row: PairRow) -> None:
        self.rows.remove(row)
        self._list.removeWidget(row)
        row.hide()
        row.deleteLater()
        self._on_row_changed()

    def _on_row_changed(self) -> None:
        for row in self.rows:
            row.remove_button.setVisible(len(self.rows) > 1)
        self.valueChanged.emit()

    def _on_browse_clicked(self) -> None:
        folder = QFileDialog.getExistingDirectory(
            self, "Folder with images/ and labels/", self.folder.text()
        )
        if folder:
            self.folder.setText(folder)


class PairRow(QWidget):
    """One image and its labels, and what of it counts.

    Parameters
    ----------
    viewer
        Where the layers are.
    rows
        All pairs: no two should have one image.

    Signals
    -------
    valueChanged
        Another layer is chosen.
    removeRequested
        The pair is not wanted any more.
    """

    valueChanged = Signal()
    removeRequested = Signal()

    def __init__(
        self, viewer: Viewer, rows: list[PairRow], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._viewer, self._rows = viewer, rows
        self._is_by_hand = False
        self._is_led_by_image = False
        self.image_choice = LayerChoice(viewer, (Image,), parent=self)
        self.labels_choice = LayerChoice(
            viewer, (Labels,), leave_out=is_class_map, parent=self
        )
        self.remove_button = QToolButton(self)
        self.remove_button.setText("✕")
        self.remove_button.setToolTip("Do not learn from this pair.")
        self.counts = QLabel(self)
        self.counts.setWordWrap(True)
        self._lay_out()
        self.image_choice.valueChanged.connect(self._on_image_changed)
        self.image_choice.activated.connect(self._on_image_activated)
        self.labels_choice.valueChanged.connect(self._on_labels_changed)
        self.remove_button.clicked.connect(self.removeRequested)
        # Only once the layer is in the lists.
        viewer.layers.events.inserted.connect(self._on_inserted, position="last")
        self.refresh()

    def _lay_out(self) -> None:
        choices = QHBoxLayout()
        choices.addWidget(self.image_choice, stretch=1)
        choices.addWidget(self.labels_choice, stretch=1)
        choices.addWidget(self.remove_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addLayout(choices)
        layout.addWidget(self.counts)

    def image(self) -> Image | None:
        """Return the chosen image."""
        return self.image_choice.value()

    def labels(self) -> Labels | None:
        """Return the chosen labels."""
        return self.labels_choice.value()

    def source(self) -> PairSource:
        """Return what is chosen, as it is now.

        Raises
        ------
        ValueError
            If the image is not understood, or nothing is chosen.
        """
        image, labels = self.image(), self.labels()
        if image is None or labels is None:
            raise ValueError("There is no pair of image and labels; open both first.")
        return PairSource(
            image=describe_image(image, axes_beside(image, labels)),
            labels=finest(labels),
            name=labels.name,
            session=find_session(labels),
            find_review=partial(load_session, labels, image),
            is_guess=_is_guess(labels),
        )

    def suggest(self, taken: list[Labels | None]) -> None:
        """Choose labels that nobody has taken, and their image."""
        layers = [x for x in reversed(self._viewer.layers) if isinstance(x, Labels)]
        free = [x for x in layers if x not in taken and not is_class_map(x)]
        # What was reviewed is what one wants to learn from.
        free.sort(key=lambda layer: find_session(layer) is None)
        if free:
            self.labels_choice.setValue(free[0])
            self._on_labels_changed()

    def refresh(self) -> None:
        """Say anew what of the labels counts."""
        labels = self.labels()
        session = None if labels is None else find_session(labels)
        self.counts.setText(_what_counts(self.image(), labels, session))

    def _on_image_changed(self) -> None:
        image, labels = self.image(), self.labels()
        if image is not None and not fits(image, labels):
            self._is_led_by_image = True
            self.labels_choice.setValue(labels_of(self._viewer, image) or labels)
            self._is_led_by_image = False
        self.refresh()
        self.valueChanged.emit()

    def _on_image_activated(self) -> None:
        self._is_by_hand = True

    def _on_labels_changed(self) -> None:
        self._is_by_hand = False
        if not self._is_led_by_image:
            self._choose_image([row.image() for row in self._rows if row is not self])
        self.refresh()
        self.valueChanged.emit()

    def _on_inserted(self) -> None:
        # Labels may have been opened before their image.
        if not self._is_by_hand:
            self._choose_image([])

    def _choose_image(self, taken: list[Image | None]) -> None:
        image = image_of(self._viewer, self.labels(), self.image(), taken)
        if image is not None and image is not self.image():
            self.image_choice.setValue(image)


def class_columns(layers: list[Labels]) -> list[str]:
    """Return the columns of words that the tables of all layers have."""
    tables = [layer.features for layer in layers]
    if not tables:
        return []
    return [
        name
        for name in tables[0].columns
        if all(name in table and _is_words(table[name]) for table in tables)
    ]


def classes_by_label(layer: Labels, column: str) -> dict[int, str]:
    """Return the class of each label that has one."""
    table = layer.features
    # napari looks labels up in a column of this name, else by the row.
    labels = table["index"] if "index" in table else range(len(table))
    pairs = zip(labels, table[column], strict=True)
    return {int(n): str(x) for n, x in pairs if n > 0 and _is_word(x)}


def _is_word(value: object) -> bool:
    # What is missing is no text: NaN, None, NA.
    return isinstance(value, str) and value != ""


def _is_words(column: pd.Series[Any]) -> bool:
    if column.name in ("verdict", "index"):
        return False
    return column.dtype.kind not in "buif" and bool((column.astype(str) != "").any())


def _twice(layers: list[_Layer]) -> _Layer | None:
    """Return a layer that is there more than once."""
    return next((layer for layer in layers if layers.count(layer) > 1), None)


def _is_guess(layer: Labels) -> bool:
    """Tell whether a model made the labels: it leaves a record, or at least scores."""
    if METADATA_KEY not in layer.metadata:
        return False
    table = layer.features
    has_scores = "score" in table and bool(table["score"].notna().any())
    return has_scores or layer.metadata[METADATA_KEY].get("record") is not None


def _what_counts(
    image: Image | None, labels: Labels | None, session: ReviewSession | None
) -> str:
    if image is None or labels is None:
        return "Open an image, and draw or open its labels."
    if not fits(image, labels):
        return "Image and labels differ in size."
    if session is None and has_verdicts(labels):
        from napari_pffnet.review.queue import progress  # so that widgets open sooner

        reviewed = progress(table_from_features(labels.features))
        return f"{reviewed}; only the reviewed area counts."
    if session is None:
        return _NOT_REVIEWED if _is_guess(labels) else "All labels count."
    if session.marks.is_complete:
        return f"{session.progress}; all of it counts."
    return f"{session.progress}; only the reviewed area counts."
