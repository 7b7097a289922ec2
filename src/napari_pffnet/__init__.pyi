from .catalog import list_models as list_models
from .config import CheckpointInfo as CheckpointInfo
from .config import LinkConfig as LinkConfig
from .config import ModelConfig as ModelConfig
from .config import OutputConfig as OutputConfig
from .config import Recipe as Recipe
from .config import Region as Region
from .config import SegmentConfig as SegmentConfig
from .config import TrainConfig as TrainConfig
from .evaluation import evaluate as evaluate
from .folders import segment_files as segment_files
from .folders import segment_files_iter as segment_files_iter
from .instances import Instances as Instances
from .linking import link_planes as link_planes
from .sample_data import load_sample as load_sample
from .sample_data import sample_names as sample_names
from .segmentation import segment as segment
from .segmentation import segment_iter as segment_iter
from .segmentation import segment_planes as segment_planes
from .segmentation import segment_planes_iter as segment_planes_iter
from .training import train as train
from .training import train_iter as train_iter
from .weights import Model as Model
from .weights import load_model as load_model

__version__: str
