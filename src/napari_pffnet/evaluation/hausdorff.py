"""The object-level Hausdorff distance of the GlaS challenge (MICCAI 2015)."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import KDTree
from scipy.spatial.distance import cdist

from napari_pffnet.evaluation.overlap import FloatArray, IntArray, number_objects

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from napari_pffnet.evaluation.overlap import Overlap

# Up to so many pairs of pixels are compared one by one: a tree takes longer to plant.
_FEW_PAIRS = 10_000


def object_hausdorff(overlap: Overlap, true: IntArray, pred: IntArray) -> float:
    """Compute the distance of two label images from their overlap.

    Parameters
    ----------
    overlap
        Of the two.
    true, pred
        The label images, of one shape.

    Returns
    -------
    Pixels; infinite where only one of them has objects.
    """
    if not (overlap.n_true and overlap.n_pred):
        return np.inf if overlap.n_true or overlap.n_pred else 0.0
    trues, preds = _Objects(true), _Objects(pred)
    known: dict[tuple[int, int], float] = {}

    def distance(i: int, j: int) -> float:
        if (i, j) not in known:
            known[i, j] = _hausdorff(trues, i, preds, j)
        return known[i, j]

    def turned(j: int, i: int) -> float:
        return distance(i, j)

    index, shared = (overlap.true_index, overlap.pred_index), overlap.intersections
    of_true = [
        distance(i, j) if j >= 0 else _nearest(trues, i, preds, distance)
        for i, j in enumerate(_partners(*index, shared, overlap.n_true))
    ]
    of_pred = [
        distance(i, j) if i >= 0 else _nearest(preds, j, trues, turned)
        for j, i in enumerate(_partners(*index[::-1], shared, overlap.n_pred))
    ]
    weighted_true = np.average(of_true, weights=overlap.true_areas)
    weighted_pred = np.average(of_pred, weights=overlap.pred_areas)
    return float(weighted_true + weighted_pred) / 2


class _Objects:
    """The objects of a label image, each as its pixels.

    Attributes
    ----------
    owners
        The flat image; 0, or the position of the object + 1.
    pixels, edges
        Positions in the flat image of all pixels of each object, and of those with
        a neighbour that is none of its own.
    """

    def __init__(self, labels: IntArray) -> None:
        self._shape = labels.shape
        ids, self.owners = number_objects(labels)
        self.pixels = _by_object(self.owners, len(ids))
        is_edge = _is_edge(self.owners.reshape(labels.shape)).ravel()
        self.edges = _by_object(np.where(is_edge, self.owners, 0), len(ids))
        self._trees: dict[int, KDTree] = {}

    @cached_property
    def boxes(self) -> IntArray:
        """(N, 2, D) first and last pixel along each axis."""
        points = map(self.points, self.edges)
        return np.array([np.stack([p.min(0), p.max(0)]) for p in points])

    @cached_property
    def box_tree(self) -> KDTree:
        """The boxes, ready to find those whose sides are near to the sides of one."""
        return KDTree(self.boxes.reshape(len(self.boxes), -1))

    @cached_property
    def extremes(self) -> IntArray:
        """(N, 2 D, D) a first and a last pixel along each axis."""
        points = map(self.points, self.edges)
        return np.array([p[[*p.argmin(0), *p.argmax(0)]] for p in points])

    def points(self, pixels: IntArray) -> IntArray:
        """Return the (K, D) coordinates of pixels of the flat image."""
        return np.stack(np.unravel_index(pixels, self._shape), axis=1)

    def tree(self, i: int) -> KDTree:
        """Return an object, ready to find its nearest pixel: one of its edge."""
        if i not in self._trees:
            self._trees[i] = KDTree(self.points(self.edges[i]))
        return self._trees[i]


def _by_object(owners: IntArray, n: int) -> Sequence[IntArray]:
    """Return the positions of the pixels of each object in the flat image."""
    order = np.argsort(owners, kind="stable")
    counts = np.bincount(owners, minlength=n + 1)
    return np.split(order, np.cumsum(counts)[:-1])[1:]


def _is_edge(owners: IntArray) -> NDArray[np.bool_]:
    """Say which pixels have a neighbour of another owner, or none."""
    is_edge = np.zeros(owners.shape, np.bool_)
    for axis in range(owners.ndim):
        along, edge = np.moveaxis(owners, axis, 0), np.moveaxis(is_edge, axis, 0)
        differs = along[1:] != along[:-1]
        edge[1:] |= differs
        edge[:-1] |= differs
        edge[[0, -1]] = True
    return is_edge


def _hausdorff(trues: _Objects, i: int, preds: _Objects, j: int) -> float:
    """Return the largest distance from a pixel of one to the nearest of the other."""
    return max(_directed(trues, i, preds, j), _directed(preds, j, trues, i))


def _directed(start: _Objects, i: int, end: _Objects, j: int) -> float:
    pixels = start.pixels[i]
    # The distance of all that both share is 0.
    outside = pixels[end.owners[pixels] != j + 1]
    if not len(outside):
        return 0.0
    points = start.points(outside)
    if len(points) * len(end.edges[j]) <= _FEW_PAIRS:
        return float(cdist(points, end.points(end.edges[j])).min(1).max())
    return float(end.tree(j).query(points)[0].max())


def _nearest(
    objects: _Objects, i: int, others: _Objects, distance: Callable[[int, int], float]
) -> float:
    """Return the smallest distance of an object that meets none of the others."""
    # Two objects are at least as far from each other as the sides of their boxes.
    box = objects.boxes[i].ravel()
    best = distance(i, int(others.box_tree.query(box, p=np.inf)[1]))
    near = np.array(others.box_tree.query_ball_point(box, best, p=np.inf))
    least = np.maximum(
        _to_boxes(objects.extremes[i], others.boxes[near]),
        _to_boxes(others.extremes[near], objects.boxes[i]),
    )
    for rank in np.argsort(least, kind="stable").tolist():
        if least[rank] >= best:
            break
        best = min(best, distance(i, int(near[rank])))
    return best


def _to_boxes(points: IntArray, boxes: IntArray) -> FloatArray:
    """Return how far the farthest of (..., P, D) points is from a (..., 2, D) box.

    The distance of two objects is at least that from the points of one to the box of
    the other.
    """
    low, high = boxes[..., :1, :], boxes[..., 1:, :]
    beyond = np.maximum(low - points, points - high).clip(min=0)
    farthest: FloatArray = np.linalg.norm(beyond, axis=-1).max(-1)
    return farthest


def _partners(
    index: IntArray, other: IntArray, intersections: IntArray, n: int
) -> list[int]:
    """Return what each object shares most pixels with, -1 where it meets none."""
    # Last in this order is the largest intersection, of equal ones the lowest id.
    order = np.lexsort((-other, intersections))
    partners = np.full(n, -1)
    partners[index[order]] = other[order]
    found: list[int] = partners.tolist()
    return found
