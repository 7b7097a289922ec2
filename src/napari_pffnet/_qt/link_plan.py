"""What a click on Link is going to do."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_pffnet._qt.layers import finest, table_from_features

if TYPE_CHECKING:
    import pandas as pd
    from napari.layers import Labels

    from napari_pffnet.config import LinkConfig
    from napari_pffnet.linking import Linked

_LEADING = ("t", "z")


@dataclass(frozen=True, slots=True)
class LinkPlan:
    """One linking, with all that was decided at its start.

    Attributes
    ----------
    layer
        The objects; it may be renamed or removed while the work goes on.
    data
        Its labels (..., Y, X), lazy or not.
    features
        Its table, with a row for each label, or without columns.
    leading
        ``t`` and ``z``: what the axes longer than 1 before the rows are, in order.
    axis
        The one of them to link along.
    config
        Options of the core.
    """

    layer: Labels
    data: Any
    features: pd.DataFrame
    leading: tuple[str, ...]
    axis: str
    config: LinkConfig

    def link(self) -> Linked:
        """Link the objects; takes seconds, so not in the GUI thread."""
        # Here, so that widgets open sooner.
        from napari_pffnet.linking import link_planes
        from napari_pffnet.review.table import check_reviewable, complete_table

        labels = np.asarray(self.data)
        long = [length for length in labels.shape[:-2] if length > 1]
        planes = labels.reshape(*long, *labels.shape[-2:])
        check_reviewable(planes)
        planes = planes.astype(np.int32, copy=False)
        # Measured anew: the labels may have been painted on.
        table = complete_table(planes, self._table())
        linked = link_planes(planes, table, axis=self.axis, **dict(self.config))
        return replace(linked, labels=linked.labels.reshape(labels.shape))

    def _table(self) -> pd.DataFrame:
        """Return the layer's table, in which the columns of planes name the axes."""
        table = table_from_features(self.features)
        known = _known_axes(table)
        if known == self.leading:
            return table
        # Of other axes: those of the planes are measured anew.
        return table.drop(columns=list(known)).assign(**dict.fromkeys(self.leading, 0))


def linkable_axes(layer: Labels | None) -> tuple[str, ...]:
    """Return the axes along which a layer may be linked: ``z``, ``t``, both or none.

    As its table tells; of one axis of which nothing is known both, the likelier first.
    """
    if layer is None or not 1 <= _count_long_axes(layer) <= len(_LEADING):
        return ()
    known = _known_axes(layer.features)
    return known if len(known) == _count_long_axes(layer) else ("z", "t")


def make_plan(layer: Labels | None, axis: str, config: LinkConfig) -> LinkPlan:
    """Return what is to be done with a layer.

    Raises
    ------
    ValueError
        If there is no layer, or none with planes to link.
    """
    if layer is None:
        raise ValueError(
            "There is no Labels layer; segment a stack or a film, or open its labels."
        )
    if axis not in linkable_axes(layer):
        raise ValueError(
            f"The layer {layer.name!r} has no slices or frames to link; choose the "
            "objects of a stack or a film."
        )
    known = _known_axes(layer.features)
    several = known if len(known) > 1 else _LEADING
    leading = (axis,) if _count_long_axes(layer) == 1 else several
    return LinkPlan(layer, finest(layer), layer.features, leading, axis, config)


def _known_axes(table: pd.DataFrame) -> tuple[str, ...]:
    """Return the axes that a table tells of, in their order."""
    return tuple(str(name) for name in table if name in _LEADING)


def _count_long_axes(layer: Labels) -> int:
    """Count the axes before the rows, without those of length 1."""
    return sum(length > 1 for length in finest(layer).shape[:-2])
