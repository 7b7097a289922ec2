"""Whether one segmentation is better than another, image by image."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_pffnet.evaluation.image_scores import METRICS
from napari_pffnet.evaluation.report import jsonable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_pffnet.evaluation.overlap import FloatArray
    from napari_pffnet.evaluation.report import Report


@dataclass(frozen=True, slots=True)
class PairedTest:
    """A paired t-test of one metric of two segmentations of the same images.

    Attributes
    ----------
    metric
        Name of the metric.
    first, second
        Names of the segmentations.
    n_images
        Images of which both have the metric.
    mean_difference
        Of the second minus the first, over these images; NaN without any.
    t, p
        Student's t of the differences, and the two-sided chance of one so far from
        0 if there were no difference; NaN with fewer than two images, or where the
        difference is the same in all.
    """

    metric: str
    first: str
    second: str
    n_images: int
    mean_difference: float
    t: float
    p: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """Segmentations of the same images beside each other.

    Attributes
    ----------
    reports
        Of each by its name.
    tests
        Of the first with the second, the first with the third, ...; each in the
        order of `METRICS`, without those that one of the two does not have.
    """

    reports: Mapping[str, Report]
    tests: tuple[PairedTest, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as a dict fit for JSON; what is undefined is None.

        Returns
        -------
        ``results``, a dict with the `Report.to_dict` of each, and
        ``paired_t_tests``, a list with one dict a test.
        """
        return {
            "results": {name: r.to_dict() for name, r in self.reports.items()},
            "paired_t_tests": [jsonable(asdict(test)) for test in self.tests],
        }


def compare(reports: Mapping[str, Report]) -> Comparison:
    """Compare every two segmentations in every metric by a paired t-test.

    Parameters
    ----------
    reports
        Their reports by name; images are paired by their names.
    """
    tests = tuple(
        _compare_one(metric, first, second, reports)
        for first, second in combinations(reports, 2)
        for metric in METRICS
        if all(metric in reports[name].mean for name in (first, second))
    )
    return Comparison(reports, tests)


def _compare_one(
    metric: str, first: str, second: str, reports: Mapping[str, Report]
) -> PairedTest:
    values = [_values(reports[name], metric) for name in (first, second)]
    shared = sorted(values[0].keys() & values[1].keys())
    one, other = (np.array([v[name] for name in shared], float) for v in values)
    t, p = _student(one, other)
    difference = float(np.mean(other - one)) if shared else np.nan
    return PairedTest(metric, first, second, len(shared), difference, t, p)


def _values(report: Report, metric: str) -> dict[str, float]:
    """Return the values of the images that have the metric, by image."""
    values = {image.name: getattr(image, metric) for image in report.images}
    return {name: value for name, value in values.items() if value is not None}


def _student(one: FloatArray, other: FloatArray) -> tuple[float, float]:
    # Half a second to load, which widgets that never compare would pay for.
    from scipy.stats import ttest_rel

    differences = other - one
    # Equal up to rounding: scipy would divide by next to nothing.
    if len(one) < 2 or np.ptp(differences) <= 1e-12 * np.abs(differences).max():
        return np.nan, np.nan
    found = ttest_rel(other, one)
    return float(found.statistic), float(found.pvalue)
