"""Metrics of instance segmentation and reports over sets of images.

Label images (`label_metrics`) and detections with confidences (`detection`) are
compared by their sparse table of overlaps (`overlap`), never mask by mask.
"""

from napari_pffnet.evaluation.comparison import Comparison, PairedTest, compare
from napari_pffnet.evaluation.detection import average_precision
from napari_pffnet.evaluation.errors import ErrorCounts, ErrorKinds, error_kinds
from napari_pffnet.evaluation.image_scores import (
    METRICS,
    ImageResult,
    ImageScores,
    ObjectScores,
    evaluate_image,
    evaluate_pair,
)
from napari_pffnet.evaluation.inputs import (
    LabelPair,
    PairPaths,
    find_pairs,
    label_pairs,
)
from napari_pffnet.evaluation.label_metrics import (
    aji,
    aji_plus,
    ap_at,
    class_panoptic_quality,
    count_difference,
    dice,
    mean_ap,
    mean_panoptic_quality,
    object_dice,
    object_f1,
    object_hausdorff,
    panoptic_quality,
    symmetric_best_dice,
    true_iou,
)
from napari_pffnet.evaluation.overlap import Overlap, measure_overlap
from napari_pffnet.evaluation.quality import (
    BAD_IOU,
    Reliability,
    WorstShare,
    auroc_bad,
    exact_quality,
    reliability,
    spearman,
    worst_share,
)
from napari_pffnet.evaluation.report import (
    QualityScores,
    Report,
    evaluate,
    summarize,
)
from napari_pffnet.evaluation.scores import IOU_RANGE, PanopticQuality

__all__ = [
    "BAD_IOU",
    "IOU_RANGE",
    "METRICS",
    "Comparison",
    "ErrorCounts",
    "ErrorKinds",
    "ImageResult",
    "ImageScores",
    "LabelPair",
    "ObjectScores",
    "Overlap",
    "PairPaths",
    "PairedTest",
    "PanopticQuality",
    "QualityScores",
    "Reliability",
    "Report",
    "WorstShare",
    "aji",
    "aji_plus",
    "ap_at",
    "auroc_bad",
    "average_precision",
    "class_panoptic_quality",
    "compare",
    "count_difference",
    "dice",
    "error_kinds",
    "evaluate",
    "evaluate_image",
    "evaluate_pair",
    "exact_quality",
    "find_pairs",
    "label_pairs",
    "mean_ap",
    "mean_panoptic_quality",
    "measure_overlap",
    "object_dice",
    "object_f1",
    "object_hausdorff",
    "panoptic_quality",
    "reliability",
    "spearman",
    "summarize",
    "symmetric_best_dice",
    "true_iou",
    "worst_share",
]
