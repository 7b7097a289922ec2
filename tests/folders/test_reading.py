import threading
import time

import pytest

from napari_pffnet.folders.reading import read_ahead


def test_the_next_is_read_meanwhile_and_no_more():
    started = []
    reads = read_ahead(range(5), lambda item: started.append(item) or -item)
    for item in range(5):
        read = next(reads)
        time.sleep(0.05)
        assert (read.item, read.future.result()) == (item, -item)
        assert started == list(range(min(item + 2, 5)))
    assert list(reads) == []


def test_an_error_belongs_to_its_item():
    first, second = read_ahead([0, 1], lambda item: 1 // item)
    with pytest.raises(ZeroDivisionError):
        first.future.result()
    assert second.future.result() == 1


def test_waiting_is_measured_where_the_file_is_late():
    def read(item):
        time.sleep(0.2)

    reads = read_ahead(range(2), read)
    assert next(reads).waited == pytest.approx(0.2, abs=0.1)
    time.sleep(0.4)
    assert next(reads).waited < 0.1


def test_no_thread_outlives_a_run_that_is_broken_off():
    reads = read_ahead(range(3), str)
    next(reads)
    reads.close()
    deadline = time.monotonic() + 10
    while [t for t in threading.enumerate() if t.name.startswith("pffnet-read")]:
        assert time.monotonic() < deadline
        time.sleep(0.01)
