"""The files of one image: whether they are there, and how they are written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import napari_pffnet
from napari_pffnet.files import write_atomically
from napari_pffnet.folders.jobs import OVERLAY, RECORD
from napari_pffnet.folders.large import LARGE_WRITERS, LargeSegmented
from napari_pffnet.folders.outputs import explained, written_whole
from napari_pffnet.folders.record import ImageRecord
from napari_pffnet.folders.summary import measure
from napari_pffnet.folders.writers import NO_OVERLAY, WRITERS, writable

if TYPE_CHECKING:
    from napari_pffnet.config import SegmentConfig
    from napari_pffnet.folders.image import Segmented
    from napari_pffnet.folders.jobs import Job


@dataclass(frozen=True, slots=True)
class Asked:
    """What decides how the results of an image come out."""

    image_sha256: str
    model_sha256: str
    options: SegmentConfig
    link: str | None = None

    def gave(self, record: ImageRecord | None) -> bool:
        """Whether an earlier run was asked for the same."""
        if record is None:
            return False
        before = (
            record.image_sha256, record.model_sha256, record.options, record.link
        )  # fmt: skip
        return before == (
            self.image_sha256, self.model_sha256, self.options, self.link
        )  # fmt: skip


def is_done(job: Job, asked: Asked, earlier: ImageRecord) -> bool:
    """Whether all files of an image are there and would come out the same."""
    if not asked.gave(earlier):
        return False
    endings = writable(job.endings, earlier.axes, job.image.name)
    wanted = {job.path(end).name for end in endings}
    is_whole = all((job.folder / name).exists() for name in earlier.files)
    return is_whole and wanted <= set(earlier.files)


def write_results(
    job: Job,
    done: Segmented | LargeSegmented,
    asked: Asked,
    earlier: ImageRecord | None,
    *,
    seconds: float,
) -> ImageRecord:
    """Write all files of an image, or none; return the record of them.

    Files of an earlier run that nobody asks for now stay if they would come out the
    same, else they go.

    Raises
    ------
    CannotWriteError
        If the folder takes no more files.
    """
    endings = writable(job.endings, done.axes, job.image.name)
    names = [job.path(end).name for end in endings]
    others = [] if earlier is None else [n for n in earlier.files if n not in names]
    kept, obsolete = (others, []) if asked.gave(earlier) else ([], others)
    is_left_out = OVERLAY in job.endings and OVERLAY not in endings
    record = ImageRecord(
        image=str(job.image),
        image_sha256=asked.image_sha256,
        model_sha256=asked.model_sha256,
        program=f"napari-pffnet {napari_pffnet.__version__}",
        options=asked.options,
        link=asked.link,
        axes=done.axes,
        seconds=round(seconds, 3),
        notes=(*done.notes, *([NO_OVERLAY] if is_left_out else [])),
        files=(*kept, *names),
        segmentation=done.record,
        **measure(done.objects),
    )
    paths = [job.folder / name for name in names]
    gone = [job.folder / name for name in obsolete]
    with explained(job.folder), written_whole(paths, gone) as temporary:
        for ending, path in zip(endings, temporary, strict=True):
            if ending == RECORD:
                text = record.model_dump_json(indent=2) + "\n"
                write_atomically(path, text.encode())
            elif isinstance(done, LargeSegmented):
                LARGE_WRITERS[ending](done, path)
            else:
                WRITERS[ending](done, path)
    return record
