"""Options that nobody can mean are refused where they are given."""

import math

import pytest
from pydantic import ValidationError

from napari_pffnet.cli.console import sentence
from napari_pffnet.config import (
    AugmentConfig,
    LossWeights,
    ModelConfig,
    NormalizationConfig,
)

NAMES = [f"class {number}" for number in range(256)]
SIZES = (8, 16, 32, 64, -1)


@pytest.mark.parametrize(
    ("kind", "options", "said"),
    [
        (ModelConfig, {"anchor_ratios": []}, "anchor_ratios has no values; give one"),
        (ModelConfig, {"anchor_ratios": [0, 1]}, "ratios.0 0 should be greater than 0"),
        (ModelConfig, {"anchor_sizes": SIZES}, "sizes.4 -1 should be greater than 0"),
        (ModelConfig, {"input_std": [0.0]}, "input_std.0 0.0 should be greater than 0"),
        (ModelConfig, {"input_mean": [math.nan]}, "nan should be a finite number"),
        (ModelConfig, {"classes": []}, "classes has 0 names; give 1 to 255"),
        (ModelConfig, {"classes": ["a", "b", "a"]}, "the name 'a' 2 times; give each"),
        (ModelConfig, {"classes": NAMES}, "classes has 256 names; give 1 to 255"),
        (LossWeights, {"mask": math.inf}, "mask inf should be a finite number"),
        (NormalizationConfig, {"low": 99, "high": 1}, "low 99.0 and high 1.0 are no"),
        (AugmentConfig, {"scale": [1e-3, 1]}, "greater than or equal to 0.05"),
        (AugmentConfig, {"scale": [1, 1e3]}, "less than or equal to 20"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_a_sentence(kind, options, said):
    with pytest.raises(ValidationError) as error:
        kind(**options)
    assert said in sentence(error.value)


def test_the_most_classes_and_the_widest_range_are_allowed():
    assert len(ModelConfig(classes=NAMES[:255]).classes) == 255
    assert AugmentConfig(scale=(0.05, 20)).scale == (0.05, 20)
