from .cluster import ClusterError as ClusterError
from .cluster_run import (
    segment_files_on_cluster_iter as segment_files_on_cluster_iter,
)
from .inputs import find_images as find_images
from .jobs import Job as Job
from .outputs import CannotWriteError as CannotWriteError
from .plan import Plan as Plan
from .plan import plan_files as plan_files
from .record import ImageRecord as ImageRecord
from .run import segment_files as segment_files
from .run import segment_files_iter as segment_files_iter
from .steps import FilesResult as FilesResult
from .steps import ImageDone as ImageDone
from .steps import ImageFailed as ImageFailed
from .steps import ImagePart as ImagePart
from .steps import ImageSkipped as ImageSkipped
from .steps import ImageStarted as ImageStarted
from .steps import Step as Step
from .steps import Waiting as Waiting
