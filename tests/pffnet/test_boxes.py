"""Boxes in continuous coordinates."""

import torch

from napari_pffnet.pffnet.boxes import (
    clip,
    decode,
    encode,
    has_extent,
    ignored_fraction,
)

WEIGHTS = (10.0, 10.0, 5.0, 5.0)


def test_encoding_follows_the_r_cnn_formulas() -> None:
    reference = torch.tensor([[10.0, 20.0, 30.0, 60.0]])  # 20 x 40 around (20, 40)
    box = torch.tensor([[20.0, 30.0, 30.0, 70.0]])  # 10 x 40 around (25, 50)
    got = encode(box, reference, WEIGHTS)[0]
    assert torch.allclose(
        got, torch.tensor([10 * 5 / 20, 10 * 10 / 40, 5 * -0.693147, 0.0]), atol=1e-4
    )


def test_decoding_undoes_encoding() -> None:
    corners = torch.rand(50, 2) * 40
    references = torch.cat([corners, corners + 2 + torch.rand(50, 2) * 30], 1)
    boxes = references + torch.rand(50, 4) * 1.5
    back = decode(encode(boxes, references, WEIGHTS), references, WEIGHTS)
    assert torch.allclose(back, boxes, atol=1e-4)


def test_wild_regression_stays_finite() -> None:
    box = decode(torch.full((1, 4), 1e4), torch.tensor([[0.0, 0, 8, 8]]), (1, 1, 1, 1))
    assert torch.isfinite(box).all()


def test_clip_uses_width_for_x_and_height_for_y() -> None:
    box = torch.tensor([[-3.0, -4.0, 50.0, 60.0]])
    assert clip(box, (20, 30)).tolist() == [[0.0, 0.0, 30.0, 20.0]]


def test_has_extent_needs_both_sides() -> None:
    boxes = torch.tensor([[0.0, 0, 1, 1], [0, 0, 5, 0.5], [0, 0, 0.5, 5]])
    assert has_extent(boxes).tolist() == [True, False, False]


def test_ignored_fraction_counts_pixels_in_the_box() -> None:
    ignore = torch.zeros(10, 20, dtype=torch.bool)
    ignore[:, 5:] = True
    boxes = torch.tensor(
        [[0.0, 0, 10, 10], [0, 0, 5, 10], [6, 2, 9, 4], [18, 0, 40, 4]]
    )
    assert ignored_fraction(boxes, ignore).tolist() == [0.5, 0.0, 1.0, 1.0]
