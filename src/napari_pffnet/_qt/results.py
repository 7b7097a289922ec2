"""The layers that a segmentation made, and what belongs to them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, ref

import numpy as np

from napari_pffnet._qt.arrays import read_result
from napari_pffnet._qt.layers import (
    METADATA_KEY,
    features_from_table,
    table_from_features,
)
from napari_pffnet._qt.reviews import find_session

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from napari import Viewer
    from napari.layers import Image, Labels
    from numpy.typing import NDArray

    from napari_pffnet._qt.placement import Placement
    from napari_pffnet.candidates import LiveObjects, Repainted
    from napari_pffnet.messages import SegmentDone

_results: WeakKeyDictionary[Labels, Result] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the child found, as it is shown.

    Attributes
    ----------
    live
        The objects and their labels.
    table
        That of the objects.
    semantic
        uint8 class map of the same shape.
    record
        How the result came about.
    notes
        What the user should know, in sentences.
    score, quality
        The thresholds in use.
    """

    live: LiveObjects
    table: pd.DataFrame
    semantic: NDArray[np.uint8]
    record: dict[str, Any]
    notes: tuple[str, ...]
    score: float
    quality: float


def load_result(done: SegmentDone, folder: Path, *, quality: float = 0.0) -> Loaded:
    """Read what the child wrote; called in a thread.

    Parameters
    ----------
    done
        The child's answer.
    folder
        Where its arrays lie.
    quality
        Objects of lower quality are left out.
    """
    # Here, so that widgets open sooner.
    from napari_pffnet.candidates import LiveObjects

    arrays = read_result(folder)
    live = LiveObjects(arrays.candidates, arrays.labels, arrays.table)
    table, score = arrays.table, float(done.record["score_threshold"])
    if quality > 0:
        live.repaint(score, quality)
        table = live.apply().table
    semantic = arrays.semantic
    return Loaded(live, table, semantic, done.record, done.notes, score, quality)


class Result:
    """One instances layer of ours; everything here runs in the GUI thread.

    Parameters
    ----------
    instances, semantic, image
        The layers; they are not kept alive.
    loaded
        What they show.
    """

    def __init__(
        self, instances: Labels, semantic: Labels, image: Image | None, loaded: Loaded
    ) -> None:
        self._instances, self._semantic = ref(instances), ref(semantic)
        self._image = ref(image) if image is not None else None
        self.live = loaded.live
        self.score, self.quality = loaded.score, loaded.quality
        self.is_part = loaded.live.candidates.region is not None
        self._edited: set[int] = set()
        self._protected: set[int] = set()
        # As we painted them last: what differs was changed by the user.
        self._painted = loaded.live.labels.copy()
        self._shown = instances.features.copy()
        self._was_painted_on = self._are_classes_edited = self._is_table_edited = False
        instances.events.paint.connect(self._on_paint)
        semantic.events.paint.connect(self._on_classes_changed)
        semantic.events.data.connect(self._on_classes_changed)

    @property
    def instances(self) -> Labels | None:
        """The instances layer, while it exists and shows our labels."""
        layer = self._instances()
        if layer is None or not np.may_share_memory(layer.data, self.live.labels):
            return None
        return layer

    @property
    def semantic(self) -> Labels | None:
        """The semantic layer, while it exists."""
        return self._semantic()

    @property
    def image(self) -> Image | None:
        """The image layer, while it exists."""
        return self._image() if self._image is not None else None

    def disconnect(self) -> None:
        """Hear of the layers' edits no longer: another result takes them over."""
        instances, semantic = self._instances(), self._semantic()
        if instances is not None:
            instances.events.paint.disconnect(self._on_paint)
        if semantic is not None:
            semantic.events.paint.disconnect(self._on_classes_changed)
            semantic.events.data.disconnect(self._on_classes_changed)

    def _on_paint(self) -> None:
        self._was_painted_on = True

    def _on_classes_changed(self) -> None:
        self._are_classes_edited = True

    def counts(self) -> tuple[int, int]:
        """Return how many objects are shown, and how many of the model are hidden.

        A row without pixels need not be a hidden object: who paints with number 50
        leaves rows for all numbers below.
        """
        if self.instances is None:
            return 0, 0
        areas = self.instances.features["area"].to_numpy()[1:]
        of_model = np.flatnonzero(self.live.is_candidate[: len(areas)])
        return int((areas > 0).sum()), int((areas[of_model] == 0).sum())

    # ------------------------------------------------------------- the user's work

    @property
    def is_edited(self) -> bool:
        """Whether the user changed pixels or the table, or reviewed an object."""
        layer = self.instances
        if layer is not None:
            self._is_table_edited |= _has_own_values(layer, self._shown)
        return bool(self.protected or self._are_classes_edited or self._is_table_edited)

    @property
    def protected(self) -> set[int]:
        """Ids of objects with an edit or a verdict."""
        if self._was_painted_on:
            changed = self.live.labels != self._painted
            before, after = self._painted[changed], self.live.labels[changed]
            self._edited |= set(np.unique([before, after]).tolist()) - {0}
            np.copyto(self._painted, self.live.labels)
            self._was_painted_on = False
        session = find_session(self.instances) if self.instances is not None else None
        reviewed = session.protected.tolist() if session is not None else ()
        return self._edited.union(reviewed)

    # ------------------------------------------------------------ live threshold

    def repaint(self, score: float, quality: float) -> None:
        """Show the objects that reach both thresholds, around those protected."""
        layer = self._followed_layer()
        self._protect(layer)
        self.score, self.quality = score, quality
        self._show(layer, self.live.repaint(score, quality))

    def apply(self) -> None:
        """Forget hidden objects and number the others from 1 without gaps."""
        layer = self._followed_layer()
        self._protect(layer)
        applied = self.live.apply()
        self._edited = _renumbered(self._edited, applied.former)
        self._show(layer, applied)
        _forget_strokes(layer)

    def _protect(self, layer: Labels) -> None:
        """Tell what the user has changed since, which is costly."""
        protected = self.protected
        # No event tells of a column that is put into the table itself.
        is_changed = not layer.features.equals(self._shown)
        if protected != self._protected or is_changed:
            self._is_table_edited |= _has_own_values(layer, self._shown)
            self.live.protect(protected, table_from_features(layer.features))
            self._protected = protected

    def _followed_layer(self) -> Labels:
        if self.instances is None:
            raise ValueError(
                "The layer of this result was deleted, or shows other labels now; "
                "segment again."
            )
        return self.instances

    def _show(self, layer: Labels, repainted: Repainted) -> None:
        np.copyto(self._painted, repainted.labels)
        layer.features = features_from_table(repainted.table)
        self._shown = layer.features.copy()
        layer.refresh()


def _has_own_values(layer: Labels, shown: pd.DataFrame) -> bool:
    """Whether the user gave objects another class, or a column of their own."""
    # Here, so that widgets open sooner.
    from napari_pffnet.review.table import leading_columns

    table = layer.features
    by_review = {"verdict", *leading_columns(layer.data.shape, shown)}
    if set(table) - by_review != set(shown) - by_review:
        return True
    return bool(table["class"].tolist() != shown["class"].tolist())


def _renumbered(ids: set[int], former: NDArray[np.int32]) -> set[int]:
    """Return the new labels of objects; ``former[i]`` is now label i + 1."""
    return set((np.flatnonzero(np.isin(former, list(ids))) + 1).tolist())


def find_result(layer: Labels | None) -> Result | None:
    """Return what belongs to a layer, if a segmentation of this window made it."""
    result = None if layer is None else _results.get(layer)
    return None if result is None or result.instances is None else result


def newest_result(
    viewer: Viewer, image: Image | None, *, is_part: bool
) -> Result | None:
    """Return the topmost result on an image that a new run could replace.

    A run on a part of the image never replaces a result on all of it.
    """
    if image is None:
        return None
    for layer in reversed(viewer.layers):
        result = find_result(layer)
        if result is None or result.image is not image:
            continue
        if result.is_part or not is_part:
            return result
    return None


def show_result(
    viewer: Viewer,
    image: Image | None,
    placement: Placement,
    loaded: Loaded,
    name: str,
) -> Result:
    """Show a result on its image: in the layers of the last run, if there are any.

    New layers are made where the user has edited those of the last run.

    Parameters
    ----------
    viewer
        Where the image is.
    image
        May have been renamed since the start; None: it is gone, or holds another
        image now.
    placement
        Where the labels are to lie.
    loaded
        What was found.
    name
        Of the image at the start.
    """
    name = image.name if image is not None else name
    is_part = loaded.live.candidates.region is not None
    old = newest_result(viewer, image, is_part=is_part)
    if old is not None and old.is_edited:
        old = None
    labels = loaded.live.labels.reshape(placement.shape)
    semantic = loaded.semantic.reshape(placement.shape)
    # The classes lie below the objects, and are shown on demand.
    put = partial(_put, viewer, placement=placement, metadata=_metadata(loaded, name))
    below = put(old and old.semantic, semantic, f"{name} semantic")
    above = put(old and old.instances, labels, f"{name} instances")
    below.visible = below.visible and old is not None
    above.features = features_from_table(loaded.table)
    if old is not None:
        old.disconnect()
    result = Result(above, below, image, loaded)
    _results[above] = result
    viewer.layers.selection.active = above
    return result


def _put(
    viewer: Viewer,
    old: Labels | None,
    data: NDArray[Any],
    name: str,
    *,
    placement: Placement,
    metadata: dict[str, Any],
) -> Labels:
    """Show labels in a layer of before, if it is still there, or in a new one.

    Who hears of the layer finds its metadata there already.
    """
    own = dict(metadata)
    if old is None or old not in viewer.layers or old.ndim != data.ndim:
        return viewer.add_labels(
            data, name=name, metadata={METADATA_KEY: own}, **placement.options
        )
    old.metadata[METADATA_KEY] = own
    old.data = data
    _forget_strokes(old)
    placement.apply_to(old)
    return old


def _forget_strokes(layer: Labels) -> None:
    """Leave napari's undo nothing: its strokes hold numbers of other objects now."""
    # napari has no public way that leaves the tool in the user's hand.
    layer._reset_history()  # noqa: SLF001


def _metadata(loaded: Loaded, image_name: str) -> dict[str, Any]:
    return {
        "record": loaded.record,
        "classes": list(loaded.live.candidates.classes),
        "image": image_name,
    }
