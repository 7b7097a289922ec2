"""What a click on Segment is going to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel

from napari_pffnet._qt.folder_plan import FolderChoices
from napari_pffnet._qt.layers import finest
from napari_pffnet._qt.placement import Placement
from napari_pffnet.catalog import find_model
from napari_pffnet.config import SegmentConfig, Unit
from napari_pffnet.messages import SegmentRequest

if TYPE_CHECKING:
    from pathlib import Path

    from napari.layers import Image

    from napari_pffnet._qt.layers import ImageSource
    from napari_pffnet.config import Region

Extent = Literal["image", "view", "shape"]


class SegmentChoices(BaseModel):
    """What the user chose in the Segment widget, apart from layers."""

    model: str = "nuclei"
    device: str = "auto"
    extent: Extent = "image"
    config: SegmentConfig = SegmentConfig()
    quality: Unit = 0.0
    folder: FolderChoices = FolderChoices()


@dataclass(frozen=True, slots=True)
class SegmentPlan:
    """One run, with all that was decided at its start.

    Attributes
    ----------
    layer
        The image; it may be renamed or removed while the run goes on.
    source, placement
        Its pixels, and where it lay at the start.
    region
        The part to segment; None: all of it.
    model
        Name or path.
    device
        As `load_model` takes it.
    config
        Options of the core, without axes: those are the source's.
    quality
        Objects of lower quality are left out.
    """

    layer: Image
    source: ImageSource
    placement: Placement
    region: Region | None
    model: str
    device: str
    config: SegmentConfig
    quality: float

    def place_now(self) -> Placement | None:
        """Return where the labels of the image lie by now; None: it has another shape.

        The user may move or calibrate the image while the run goes on.
        """
        if tuple(finest(self.layer).shape) != tuple(self.source.data.shape):
            return None
        return Placement.on(self.layer, self.source.axes)

    def write(self, folder: Path) -> SegmentRequest:
        """Write the image for the child; not in the GUI thread."""
        return SegmentRequest(
            image=self.source.write(folder),
            region=self.region,
            # The child may know other models by name.
            model=str(find_model(self.model).resolve()),
            device=self.device,
            config=self.config,
            out=str(folder),
        )
