from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from napari_pffnet.candidates import PlaneCandidates
from napari_pffnet.config import Region
from napari_pffnet.instances import Instances

from .conftest import candidates_of, squares


def test_one_plane_is_painted_as_its_candidates_are():
    plane = squares((2, 2, 9, 0.9, 0.5), (6, 6, 9, 0.6, 0.9), (0, 40, 5, 0.4, 0.9))
    painted = candidates_of(plane, pixel_size_um=0.5).paint()
    alone = plane.paint(score_threshold=0.5)
    np.testing.assert_array_equal(painted.labels, alone.labels)
    table = plane.to_table(alone.labels, alone.index, ("nucleus",), 0.5)
    pd.testing.assert_frame_equal(painted.table, table)


def test_ids_go_on_from_plane_to_plane_and_columns_name_it():
    planes = [
        squares((1, 1, 4, 0.9, 0.9), (9, 9, 3, 0.8, 0.9)),
        squares(),
        squares((5, 5, 6, 0.7, 0.9)),
        squares((7, 7, 2, 0.9, 0.9)),
    ]
    painted = candidates_of(*planes, leading=(2, 2), axes="TZ").paint()
    assert painted.labels.shape == (2, 2, 40, 60)
    assert painted.labels.dtype == np.int32
    assert painted.table["label"].tolist() == [1, 2, 3, 4]
    assert painted.table["t"].tolist() == [0, 0, 1, 1]
    assert painted.table["z"].tolist() == [0, 0, 0, 1]
    assert painted.table["area"].tolist() == [16, 9, 36, 4]
    assert [np.unique(p).tolist() for p in painted.labels.reshape(4, 40, 60)] == [
        [0, 1, 2],
        [0],
        [0, 3],
        [0, 4],
    ]


def test_the_quality_threshold_hides_what_is_known_to_be_poor():
    poor, good, unknown = (
        squares((0, x, 5, 0.9, q)) for x, q in ((1, 0.3), (20, 0.8), (40, np.nan))
    )
    candidates = candidates_of(Instances.concat([poor, good, unknown]))
    assert len(candidates.paint().table) == 3
    left = candidates.paint(quality_threshold=0.5).table
    assert left["bbox_x0"].tolist() == [40, 20]


def test_at_the_edge_of_the_region_objects_touch_the_border():
    plane = squares((10, 10, 5, 0.9, 0.9), (20, 20, 5, 0.8, 0.9))
    region = Region(y0=10, x0=0, y1=40, x1=60)
    table = candidates_of(plane, region=region).paint().table
    assert table["touches_border"].tolist() == [True, False]


def test_what_was_written_is_read(crowd, tmp_path):
    crowd.write(tmp_path / "kept")
    read = PlaneCandidates.read(tmp_path / "kept")
    assert (read.axes, read.classes, read.region) == ("Z", ("nucleus",), None)
    for threshold in (0.1, 0.5):
        one, other = crowd.paint(threshold, 0.2), read.paint(threshold, 0.2)
        np.testing.assert_array_equal(one.labels, other.labels)
        pd.testing.assert_frame_equal(one.table, other.table)


def test_files_that_do_not_belong_together_are_refused(crowd, tmp_path):
    crowd.write(tmp_path)
    facts = (tmp_path / "candidates.json").read_bytes()
    candidates_of(squares()).write(tmp_path)
    (tmp_path / "candidates.json").write_bytes(facts)
    with pytest.raises(ValueError, match="segment the image again"):
        PlaneCandidates.read(tmp_path)


@pytest.mark.parametrize(("leading", "axes"), [((2,), "Z"), ((1,), ""), ((1,), "TZ")])
def test_planes_that_do_not_fit_the_axes_are_refused(leading, axes):
    with pytest.raises(ValueError, match="do not make up"):
        candidates_of(squares(), leading=leading, axes=axes)


def test_torch_stays_away():
    code = "import sys, napari_pffnet.candidates; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
