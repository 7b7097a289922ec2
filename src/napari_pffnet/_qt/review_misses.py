"""Walks through the places where objects were probably missed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels
from qtpy.QtWidgets import (
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_pffnet._qt.background import Background
from napari_pffnet._qt.layer_choice import LayerChoice
from napari_pffnet._qt.layers import finest
from napari_pffnet._qt.results import find_result

if TYPE_CHECKING:
    from napari import Viewer
    from numpy.typing import NDArray

    from napari_pffnet._qt.review_run import ReviewRun
    from napari_pffnet.review import Miss, Rectangle

_WHAT = "Places that the class map calls foreground and no object covers."


class MissesPanel(QWidget):
    """Offers foreground without an object, the largest place first.

    Parameters
    ----------
    viewer
        Among its layers is the class map.
    """

    def __init__(self, viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._run: ReviewRun | None = None
        self._searched: ReviewRun | None = None
        self._work: Background | None = None
        self._left: list[Miss] = []
        self.semantic = LayerChoice(viewer, (Labels,), none_title="none", parent=self)
        self.search_button = QPushButton("Look for missed objects", self)
        self.text = QLabel(self)
        self.text.setWordWrap(True)
        self.add_button = QPushButton("Add as object", self)
        self.dismiss_button = QPushButton("Nothing there", self)
        form = QFormLayout()
        form.addRow("Class map", self.semantic)
        answers = QHBoxLayout()
        answers.addWidget(self.add_button)
        answers.addWidget(self.dismiss_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(form)
        layout.addWidget(self.search_button)
        layout.addWidget(self.text)
        layout.addLayout(answers)
        self.search_button.clicked.connect(self._on_search_clicked)
        self.add_button.clicked.connect(partial(self._answer, is_object=True))
        self.dismiss_button.clicked.connect(partial(self._answer, is_object=False))

    def setRun(self, run: ReviewRun | None) -> None:
        """Work on a review, with the class map that belongs to its layer."""
        self._run, self._left = run, []
        self._show(_WHAT)
        self.semantic.setValue(None)
        if run is None:
            return
        layer = run.bound.layer
        result = find_result(layer)
        if result is not None:
            self.semantic.setValue(result.semantic)
            return
        name = f"{layer.name.removesuffix(' instances')} semantic"
        for other in self._viewer.layers:
            if other.name == name:
                self.semantic.setValue(other)

    def _on_search_clicked(self) -> None:
        semantic = self.semantic.value()
        if self._run is None:
            return
        if semantic is None:
            self._show("Choose the class map of this image first.")
            return
        self._left, self._searched = [], self._run
        session = self._run.session
        # Of the labels as they are now: the user goes on, and it takes a while.
        search = partial(
            _find,
            session.labels.copy(),
            finest(semantic),
            session.usual_area,
            session.marks.no_misses,
        )
        self._work = Background(search)
        self._work.returned.connect(self._on_found)
        self._work.raised.connect(self._on_failed)
        self._work.start()
        self.search_button.setEnabled(False)
        self._show("Looking for missed objects…")

    def _on_found(self, misses: list[Miss]) -> None:
        if self._ends_search():
            self._left = misses
            self._show_next()

    def _on_failed(self, error: Exception) -> None:
        if self._ends_search():
            self._show(str(error))

    def _ends_search(self) -> bool:
        """Allow the next search; tell whether the review of this one still goes on."""
        self._work = None
        self.search_button.setEnabled(True)
        return self._run is not None and self._run is self._searched

    def _answer(self, *, is_object: bool) -> None:
        run = self._run
        if run is None or not self._left:
            return
        miss = self._left.pop(0)
        if is_object:
            run.bound.do(lambda: run.session.add(miss.place, miss.mask))
        else:
            run.bound.do(lambda: run.session.dismiss(miss))
        self._show_next()

    def _show_next(self) -> None:
        count = len(self._left)
        places = "1 place" if count == 1 else f"{count} places"
        none = "No place is left where an object is likely missed."
        self._show(f"{places} left; the largest is shown." if count else none)
        if count and self._run is not None:
            self._run.show_place(self._left[0].place, self._left[0].mask)

    def _show(self, sentence: str) -> None:
        self.text.setText(sentence)
        self.add_button.setEnabled(bool(self._left))
        self.dismiss_button.setEnabled(bool(self._left))


def _find(
    labels: NDArray[np.integer[Any]],
    semantic: Any,
    usual_area: float,
    dismissed: tuple[Rectangle, ...],
) -> list[Miss]:
    # Here, so that widgets open sooner.
    from napari_pffnet.review.misses import likely_misses

    # In the thread, as a class map may be lazy.
    classes = np.asarray(semantic)
    return likely_misses(labels, classes, usual_area=usual_area, dismissed=dismissed)
