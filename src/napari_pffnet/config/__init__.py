"""Every option of the package, once: default, limits, unit and help.

The command line, the forms of the GUI, the recipes and the checkpoints all
derive from these models.  Nothing here imports torch.
"""

from napari_pffnet.config.base import (
    Config,
    PositiveInt,
    Precision,
    Unit,
    explain_invalid,
)
from napari_pffnet.config.checkpoint import (
    CheckpointInfo,
    NormalizationConfig,
    Thresholds,
)
from napari_pffnet.config.cluster import ClusterConfig
from napari_pffnet.config.linking import LinkConfig
from napari_pffnet.config.network import (
    DENSE,
    IMAGENET_MEAN,
    IMAGENET_STD,
    SMALL,
    FusionKind,
    LossWeights,
    ModelConfig,
    Variant,
)
from napari_pffnet.config.output import OutputConfig
from napari_pffnet.config.segmenting import (
    Region,
    SegmentConfig,
)
from napari_pffnet.config.training import (
    AugmentConfig,
    DataConfig,
    Recipe,
    TrainConfig,
)

__all__ = [
    "DENSE",
    "IMAGENET_MEAN",
    "IMAGENET_STD",
    "SMALL",
    "AugmentConfig",
    "CheckpointInfo",
    "ClusterConfig",
    "Config",
    "DataConfig",
    "FusionKind",
    "LinkConfig",
    "LossWeights",
    "ModelConfig",
    "NormalizationConfig",
    "OutputConfig",
    "PositiveInt",
    "Precision",
    "Recipe",
    "Region",
    "SegmentConfig",
    "Thresholds",
    "TrainConfig",
    "Unit",
    "Variant",
    "explain_invalid",
]
