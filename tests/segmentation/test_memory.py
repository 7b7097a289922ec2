from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import psutil
import pytest
import torch

from napari_pffnet.segmentation import segment
from napari_pffnet.segmentation.means import Means, first_means, lesser_means
from napari_pffnet.segmentation.memory import free_memory, is_out_of_memory

from .bright import bright_model, discs

CPU = torch.device("cpu")


def memory(monkeypatch, available):
    monkeypatch.setattr(
        psutil, "virtual_memory", lambda: type("_", (), {"available": available})
    )


def test_tiles_are_as_large_as_validated_where_memory_allows(monkeypatch):
    info = bright_model().info.model_copy(update={"tile_size": 1024})
    large = (4000, 3000)
    memory(monkeypatch, 16 * 10**9)
    assert first_means(CPU, "auto", large, info) == Means(CPU, "auto", 1)
    memory(monkeypatch, 10**9)
    # A small image fits anyway, and nothing is said of it.
    assert first_means(CPU, "auto", (500, 600), info).tile == "auto"
    tile = first_means(CPU, "auto", large, info).tile
    assert 256 <= tile < 1024
    assert tile % 32 == 0
    memory(monkeypatch, 0)
    assert first_means(CPU, "auto", large, info).tile == 256
    assert first_means(CPU, 512, large, info).tile == 512


def test_little_memory_is_said_and_changes_no_object(monkeypatch):
    image, true = discs((600, 560), 24, 34)
    model = bright_model()
    model = replace(model, info=model.info.model_copy(update={"tile_size": 1024}))
    memory(monkeypatch, 0)
    result = segment(image, model)
    assert result.record.tile == 256
    assert len(result.objects) == true.max()
    assert result.notes == (
        "Little memory is free; used cpu, tiles of 256 pixels, 1 at once.",
    )


def test_tiles_stay_large_enough_for_the_objects(monkeypatch):
    wide = {"tile_size": 1024, "diameter": 100.0, "diameter_range": (20.0, 140.0)}
    model = bright_model()
    model = replace(model, info=model.info.model_copy(update=wide))
    memory(monkeypatch, 0)
    means = first_means(CPU, "auto", (600, 560), model.info)
    assert means.tile == 320
    with pytest.raises(torch.OutOfMemoryError):
        lesser_means(means, (600, 560), model.info)
    image, _ = discs((600, 560), 24, 34)
    assert segment(image, model, diameter=140).record.tile == 320


@pytest.mark.parametrize(
    ("own", "files", "left"),
    [
        (
            "0::/job/step",
            {
                "job/step/memory.max": "max",
                "job/step/memory.current": "2500",
                "job/step/memory.stat": "anon 2300\ninactive_file 200",
                "job/memory.max": "3000",
                "job/memory.current": "2600",
                "job/memory.stat": "anon 2300\ninactive_file 300",
            },
            700,
        ),
        # A container sees its own group as the root, and its name from outside.
        (
            "5:cpu,cpuacct:/docker/1f\n4:memory:/docker/1f\n0::/",
            {
                "memory/memory.limit_in_bytes": "900",
                "memory/memory.usage_in_bytes": "950",
                "memory/memory.stat": "total_inactive_file 10",
            },
            0,
        ),
        ("0::/", {}, 8000),
    ],
)
def test_the_limits_of_containers_and_jobs_count(
    own, files, left, tmp_path, monkeypatch
):
    memory(monkeypatch, 8000)
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    (tmp_path / "own").write_text(f"{own}\n")
    monkeypatch.setattr(
        "napari_pffnet.segmentation.memory._OWN_GROUPS", tmp_path / "own"
    )
    monkeypatch.setattr("napari_pffnet.segmentation.memory._GROUPS", tmp_path)
    assert free_memory() == left


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError(),
        MemoryError(),
        # Of torch on Linux, on Windows, of its libraries, on Apple's GPUs and on CUDA.
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to ..."),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to ..."),
        RuntimeError("std::bad_alloc"),
        RuntimeError("could not create a primitive"),
        RuntimeError("MPS backend out of memory (MPS allocated: 9.0 GB, ...)"),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling ..."),
    ],
    ids=str,
)
def test_want_of_memory_is_known_by_its_words(error):
    assert is_out_of_memory(error)


def test_other_errors_are_no_want_of_memory():
    assert not is_out_of_memory(RuntimeError("shapes cannot be multiplied"))
    assert not is_out_of_memory(ValueError("out of memory"))


def test_want_of_memory_leads_to_fewer_tiles_then_smaller_ones_then_the_cpu():
    info = bright_model().info.model_copy(update={"tile_size": 1024})
    means = Means(torch.device("cuda"), "auto", 4)
    tried = []
    for _ in range(5):
        means = lesser_means(means, (2000, 3000), info)
        tried.append((means.device.type, means.tile, means.batch))
    assert tried == [
        ("cuda", "auto", 1),
        ("cuda", 768, 1),
        ("cuda", 384, 1),
        ("cuda", 256, 1),
        ("cpu", "auto", 1),
    ]


# Of glibc: what is freed counts no more.  Else it keeps most of it, in pieces too small
# for the next try, and RLIMIT_AS counts them.
GIVES_BACK = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_ARENA_MAX": "1"}

SCARCE = """
import resource
import numpy as np
import napari_pffnet as pff
from napari_pffnet import evaluation as ev
from napari_pffnet.sample_data import sample_path
from napari_pffnet.data.readers import read_image

image = np.tile(read_image(sample_path("fluorescence")).array, (5, 5))[:1500, :1500]
model = pff.load_model("nuclei", device="cpu")
free = pff.segment(image, model, diameter=30)
with open("/proc/self/statm") as file:
    reserved, resident = (
        int(pages) * resource.getpagesize() for pages in file.read().split()[:2]
    )
needed = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - resident
# Too much where pages of libraries were taken back meanwhile: so, step by step.
for step in range(8):
    limit = reserved + int(0.8 ** (step + 1) * needed)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    scarce = pff.segment(image, model, diameter=30)
    if any("did not suffice" in note for note in scarce.notes):
        break
print(ev.aji(free.labels, scarce.labels))
print(*scarce.notes, sep="\\n")
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="no /proc and no RLIMIT_AS")
def test_where_the_memory_of_the_cpu_ends_smaller_tiles_give_the_same_objects():
    # The whole takes all that it needed before, tiles of half its side a quarter.
    done = subprocess.run(
        [sys.executable, "-c", SCARCE],
        env=os.environ | GIVES_BACK,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    score, *notes = done.stdout.splitlines()
    assert float(score) >= 0.98
    assert any("did not suffice" in note for note in notes)
