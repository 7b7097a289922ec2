"""Worker processes of dask, here or on other machines, and tasks for them."""

from __future__ import annotations

import logging
from collections import deque
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from queue import Empty, SimpleQueue
from time import monotonic
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import napari_pffnet

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

    from distributed import Client, Future, LocalCluster

    from napari_pffnet.config import ClusterConfig

Item = TypeVar("Item")
Value = TypeVar("Value")

_POLL_S = 0.5
_ANSWER_S = 30.0
"""Within so long a scheduler answers."""
_AHEAD = 2
"""Tasks at a time for each worker: one is at work, the next is there already."""
_ENVIRON = "distributed.nanny.pre-spawn-environ"


class ClusterError(RuntimeError):
    """The cluster works no more; the run ends here."""


class WorkersDiedError(RuntimeError):
    """Worker after worker died of one task."""


@dataclass(frozen=True, slots=True)
class Ended(Generic[Item, Value]):
    """A task that has ended.

    Attributes
    ----------
    item
        What it was about.
    value
        What the worker returned; None after an error.
    error
        What it raised.
    """

    item: Item
    value: Value | None
    error: Exception | None

    def result(self) -> Value:
        """Return the value or raise the error."""
        if self.error is not None:
            raise self.error
        # Where there is no error there is a value.
        return self.value  # type: ignore[return-value]


@dataclass(frozen=True, slots=True)
class Cluster:
    """A connection to a cluster.

    Attributes
    ----------
    client
        Of dask.
    name
        Of the scheduler, as the user knows it.
    worker_timeout
        See `ClusterConfig`.
    """

    client: Client
    name: str
    worker_timeout: float

    def check_workers(self, function: Callable[..., None], *arguments: Any) -> None:
        """Wait for a worker, and run a function once on each that is there.

        Raises
        ------
        ClusterError
            If no worker comes.
        ValueError
            If a worker has another version of this program, or the function fails.
        """
        try:
            self.client.wait_for_workers(1, timeout=self.worker_timeout)
        except TimeoutError as error:
            raise self._without_workers() from error
        self._check_versions()
        for worker, outcome in self._on_each(function, *arguments).items():
            if isinstance(outcome, Exception):
                raise ValueError(f"The worker {worker} cannot begin: {outcome}")

    def _check_versions(self) -> None:
        # Travels as code: the package may be missing on the other side.
        def version() -> str:
            import napari_pffnet

            return napari_pffnet.__version__

        ours = napari_pffnet.__version__
        for worker, theirs in self._on_each(version).items():
            if isinstance(theirs, Exception):
                raise ValueError(
                    f"The worker {worker} cannot load napari-pffnet ({theirs}); "
                    f"install version {ours} where it runs."
                )
            if theirs != ours:
                raise ValueError(
                    f"The worker {worker} has napari-pffnet {theirs}, here it is "
                    f"{ours}; install the same version everywhere."
                )

    def _on_each(self, function: Callable[..., Any], *arguments: Any) -> dict[str, Any]:
        """Return what comes of a function on each worker, errors included."""
        from distributed.comm.core import CommClosedError

        told = self.client.run(function, *arguments, on_error="return")
        # A worker that has gone meanwhile does no harm.
        return {w: v for w, v in told.items() if not isinstance(v, CommClosedError)}

    def run(
        self,
        function: Callable[..., Value],
        items: Iterable[Item],
        *arguments: Any,
    ) -> Generator[Ended[Item, Value] | None, None, None]:
        """Run ``function(item, *arguments)`` on the workers; yield what has ended.

        Yields None every now and then, while nothing ends.

        Parameters
        ----------
        function, items, arguments
            What travels to the workers.

        Raises
        ------
        ClusterError
            If the connection is lost, or all workers are gone and no other comes.
        """
        waiting, ended = deque(items), SimpleQueue[Any]()
        at_work: dict[Future[Any], Item] = {}
        last_seen = monotonic()
        try:
            while waiting or at_work:
                workers = self._count_workers()
                last_seen = monotonic() if workers else last_seen
                if monotonic() - last_seen > self.worker_timeout:
                    raise self._without_workers()
                while waiting and len(at_work) < _AHEAD * max(1, workers):
                    item = waiting.popleft()
                    future = self.client.submit(function, item, *arguments, pure=False)
                    at_work[future] = item
                    future.add_done_callback(ended.put)
                try:
                    future = ended.get(timeout=_POLL_S)
                except Empty:
                    yield None
                else:
                    yield self._ended(future, at_work.pop(future))
        finally:
            self._cancel(at_work)

    def _ended(self, future: Future[Any], item: Item) -> Ended[Item, Any]:
        from distributed import CancelledError, KilledWorker

        try:
            error = future.exception()
            value = future.result() if error is None else None
        # What the task has raised is returned; this is the connection.
        except (OSError, CancelledError) as lost:
            raise self._lost() from lost
        if isinstance(error, KilledWorker):
            error = WorkersDiedError(
                "The workers that were to segment it died one after the other, "
                "perhaps for want of memory; give them more of it, or segment the "
                "image in smaller tiles (--tile)."
            )
        return Ended(item, value, error)

    def _count_workers(self) -> int:
        try:
            return len(self.client.nthreads())
        except OSError as error:
            raise self._lost() from error

    def _cancel(self, futures: Iterable[Future[Any]]) -> None:
        """Take back what has not begun; what has begun ends by itself."""
        if self.client.status == "running":
            self.client.cancel(list(futures))

    def _lost(self) -> ClusterError:
        return ClusterError(
            f"The connection to the scheduler {self.name} is lost; what was finished "
            "before is kept."
        )

    def _without_workers(self) -> ClusterError:
        return ClusterError(
            f"The scheduler {self.name} has had no worker for "
            f"{self.worker_timeout:g} seconds; what was finished before is kept."
        )


@contextmanager
def connected(config: ClusterConfig) -> Iterator[Cluster]:
    """Connect to a cluster, or start one on this machine, until the block ends.

    Raises
    ------
    ImportError
        If dask is not installed.
    ValueError
        If no scheduler answers.
    """
    if find_spec("distributed") is None:
        raise ImportError(
            "--scheduler and --workers need the package distributed: "
            "pip install 'napari-pffnet[cluster]'."
        )
    from distributed import Client

    with ExitStack() as stack:
        stack.enter_context(_quiet())
        address = config.scheduler or stack.enter_context(_local(config.workers))
        try:
            wait = min(_ANSWER_S, config.worker_timeout)
            client = Client(address, timeout=wait, set_as_default=False)
        except (OSError, ValueError) as error:
            raise ValueError(
                f"No dask scheduler answers at {config.scheduler}; start one with "
                "dask scheduler, which prints its address."
            ) from error
        stack.enter_context(client)
        name = config.scheduler or "on this machine"
        yield Cluster(client, name, config.worker_timeout)


def _local(workers: int) -> LocalCluster:
    """Start worker processes on this machine."""
    import dask
    from distributed import LocalCluster

    # Told when to trim, malloc takes every tensor anew from the system.
    environ = {**dask.config.get(_ENVIRON), "MALLOC_TRIM_THRESHOLD_": None}
    # By default dask looks every 10 ms where a worker is, and every 20 ms, in each of
    # its parts, whether that is late; nobody reads what it notes.
    settings = {
        _ENVIRON: environ,
        "distributed.worker.profile.enabled": False,
        "distributed.admin.tick.interval": "1s",
    }
    with dask.config.set(settings):
        return LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            dashboard_address=":0",
            # The segmentation sees by itself to how much memory is free.
            memory_limit=None,
            preload=["napari_pffnet.folders.cluster_worker"],
            silence_logs=logging.CRITICAL,
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what dask logs from the user, who reads it in sentences of ours."""
    loggers = [logging.getLogger(n) for n in ("distributed", "distributed.client")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
