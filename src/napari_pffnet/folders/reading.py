"""The next image is read while this one is segmented."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from concurrent.futures import Future

Item = TypeVar("Item")
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Read(Generic[Item, Value]):
    """Something that was read.

    Attributes
    ----------
    item
        What was asked for.
    future
        What came of it: ``future.result()`` returns the value or raises the error.
    waited
        Seconds until it was there, after it was asked for.
    """

    item: Item
    future: Future[Value]
    waited: float


def read_ahead(
    items: Sequence[Item], read: Callable[[Item], Value]
) -> Generator[Read[Item, Value], None, None]:
    """Read one thing after the other in a thread.

    While one is worked on, the next is read; no more lie in the memory.
    """
    pool = ThreadPoolExecutor(1, thread_name_prefix="pffnet-read")
    try:
        ahead = [pool.submit(read, item) for item in items[:1]]
        for number, item in enumerate(items):
            started = perf_counter()
            wait(ahead)
            waited = perf_counter() - started
            following = [
                pool.submit(read, one) for one in items[number + 1 : number + 2]
            ]
            yield Read(item, ahead[0], waited)
            ahead = following
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
