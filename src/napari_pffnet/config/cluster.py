"""Where many images are segmented, if not in this process alone."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from napari_pffnet.config.base import Config


class ClusterConfig(Config):
    """Worker processes of dask, on this machine or on others."""

    scheduler: str | None = Field(
        None,
        description="Address of a dask scheduler, such as tcp://node7:8786, whose "
        "workers do the work.",
    )
    workers: Annotated[int, Field(ge=0)] = Field(
        0, description="Start so many worker processes on this machine; 0: none."
    )
    worker_timeout: Annotated[float, Field(gt=0)] = Field(
        300.0, description="Seconds to wait for a worker where there is none."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.scheduler and self.workers:
            raise ValueError(
                "A scheduler has workers of its own; give --scheduler or --workers, "
                "not both."
            )
        return self

    @property
    def is_wanted(self) -> bool:
        """Whether the work goes to other processes."""
        return bool(self.scheduler or self.workers)
