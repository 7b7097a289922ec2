import sys

import imageio.v3 as iio
import numpy as np
import pytest

from napari_pffnet.evaluation import (
    ImageResult,
    evaluate_image,
    reliability,
    summarize,
)
from napari_pffnet.plots import (
    plot_comparison,
    plot_reliability,
    plot_report,
    plot_training,
)

LOSSES = "step,learning_rate,total,mask,seconds\n1,0.1,2,1,0.1\n2,0.1,1,0.5,0.2\n"
SCORES = "step,set,aji,pq\n1,a,0.2,0.1\n2,a,0.4,0.3\n1,b,0.1,0.1\n2,b,0.2,0.2\n"


@pytest.fixture
def logs(tmp_path):
    losses, scores = tmp_path / "m.log.csv", tmp_path / "m.val.csv"
    losses.write_text(LOSSES)
    scores.write_text(SCORES)
    return losses, scores


def test_curves_become_a_picture_without_a_display(logs, tmp_path, monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    plot_training(*logs, tmp_path / "m.png")
    assert iio.imread(tmp_path / "m.png").std() > 0
    assert not list(tmp_path.glob(".*"))


def test_a_picture_that_cannot_be_written_leaves_the_old_one(
    logs, tmp_path, monkeypatch
):
    def fail(self, path, **_):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    (tmp_path / "m.png").write_bytes(b"old")
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", fail)
    with pytest.raises(OSError, match="No space"):
        plot_training(*logs, tmp_path / "m.png")
    assert (tmp_path / "m.png").read_bytes() == b"old"
    assert not list(tmp_path.glob(".*"))


def test_scores_add_ink_and_may_be_missing(logs, tmp_path):
    plot_training(*logs, tmp_path / "both.png")
    plot_training(logs[0], tmp_path / "none.csv", tmp_path / "one.png")
    right = [iio.imread(tmp_path / n)[:, 600:, :3] for n in ("both.png", "one.png")]
    assert (right[0] < 250).sum() > (right[1] < 250).sum()


def test_a_report_becomes_one_picture(tmp_path):
    truth = np.array([[1, 1, 0, 2]])
    scores = evaluate_image(truth, np.array([[1, 1, 0, 0]]), name="a")
    path = plot_report(summarize([ImageResult(scores)]), tmp_path / "new")
    assert path == tmp_path / "new" / "scores.png"
    assert iio.imread(path).std() > 0


def test_several_reports_become_boxes_side_by_side(tmp_path):
    truth = np.array([[1, 1, 0, 2]])
    found = [np.array([[1, 1, 0, 0]]), truth, np.array([[1, 0, 0, 0]])]
    poor, good = (
        summarize(
            [ImageResult(evaluate_image(truth, f, name=str(i))) for i, f in pairs]
        )
        for pairs in (enumerate(found), enumerate([truth] * 3))
    )
    one = plot_comparison({"a": good}, tmp_path / "one")
    two = plot_comparison({"a": good, "b": poor}, tmp_path / "two")
    assert two == tmp_path / "two" / "comparison.png"
    # The second has boxes of another colour.
    orange = [
        (abs(iio.imread(path)[..., :3].astype(int) - (255, 127, 14)).sum(-1) < 30).sum()
        for path in (one, two)
    ]
    assert orange[0] < 10 < orange[1]


def test_reliability_becomes_one_diagram_a_value(tmp_path):
    rng = np.random.default_rng(0)
    quality, iou = rng.random(50), rng.random(50)
    one, two, none = (tmp_path / f"{name}.png" for name in "abc")
    plot_reliability({"quality": reliability(quality, iou)}, one)
    plot_reliability(
        {"quality": reliability(quality, iou), "score": reliability(iou, iou)}, two
    )
    # A set in which nothing was found has a diagram, too.
    plot_reliability({"quality": reliability([], [])}, none)
    width = [iio.imread(path).shape[1] for path in (one, two, none)]
    assert width[1] == 2 * width[0] == 2 * width[2]
    assert (iio.imread(one) < 250).sum() > (iio.imread(none) < 250).sum()


def test_without_matplotlib_the_sentence_says_what_to_install(
    logs, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"pip install 'napari-pffnet\[plots\]'"):
        plot_training(*logs, tmp_path / "m.png")
