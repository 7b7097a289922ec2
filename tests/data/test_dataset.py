import numpy as np
import pytest
import torch

from napari_pffnet.config import AugmentConfig, TrainConfig
from napari_pffnet.data.dataset import CropDataset
from napari_pffnet.data.training_image import TrainingImage

PLAIN = {
    "flips": False, "rotations": False, "intensity": 0, "invert": 0, "blur": 0,
    "median_blur": 0, "noise": 0, "illumination": 0, "color": 0, "grayscale": 0,
}  # fmt: skip


def config(scale=(1.0, 1.0), **options):
    options = {"crop_size": 64, **options}
    return TrainConfig(augment=AugmentConfig(**PLAIN, scale=scale), **options)


def annotated(labels, image=None, ignore=None, name="a"):
    """Objects are white on black."""
    labels = np.asarray(labels, np.int32)
    if image is None:
        image = np.repeat((labels > 0).astype(np.uint8)[..., None] * 255, 3, axis=-1)
    return TrainingImage(image, labels, ignore, np.ones(labels.max(), np.int64), name)


def disc(shape, center, radius, number=1):
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    distance = (rows + 0.5 - center[0]) ** 2 + (columns + 0.5 - center[1]) ** 2
    return np.where(distance <= radius**2, number, 0)


@pytest.fixture
def cells():
    """Two discs in 150 x 200 pixels."""
    return annotated(
        disc((150, 200), (40, 50), 15) + disc((150, 200), (100, 140), 22, 2)
    )


def same(one, other):
    (image, target), (image_2, target_2) = one, other
    names = ("label_map", "boxes", "class_ids", "areas", "ignore")
    return torch.equal(image, image_2) and all(
        torch.equal(getattr(target, name), getattr(target_2, name)) for name in names
    )


def test_a_crop_depends_on_seed_and_number_alone(cells):
    options = TrainConfig(crop_size=64, seed=3)
    first, again = (CropDataset([cells, cells], options) for _ in range(2))
    later = first.crop(7)
    torch.manual_seed(1)
    np.random.default_rng(1)
    _ = again.crop(0), again.crop(100_000)
    assert same(again.crop(7), later)
    assert not same(first.crop(8), later)
    other = CropDataset([cells, cells], options.model_copy(update={"seed": 4}))
    assert not same(other.crop(7), later)


def test_shapes_and_ranges_are_those_of_the_network(cells):
    dataset = CropDataset([cells], TrainConfig(crop_size=96))
    for index in range(20):
        image, target = dataset[index]
        assert image.shape == (3, 96, 96)
        assert image.dtype == torch.float32
        assert 0 <= image.min() <= image.max() <= 1
        assert target.label_map.shape == target.ignore.shape == (96, 96)
        assert len(target.boxes) == target.label_map.max()


@pytest.mark.parametrize("scale", [0.6, 0.83, 1.0, 1.31, 1.7])
def test_labels_lie_exactly_under_the_image_at_any_scale(scale):
    source = annotated(disc((300, 400), (140, 190), 15))
    dataset = CropDataset([source], config(scale=(scale, scale), crop_size=128))
    full = np.pi * 15**2 * scale**2
    rows = torch.arange(128.0)[:, None].expand(128, 128)
    shifts = []
    for image, target in map(dataset.crop, range(40)):
        if target.areas.tolist() > [0.95 * full]:
            true = target.label_map == 1
            assert ((image[0] > 0.5) != true).sum() < 0.05 * full
            seen = [(axis * image[0]).sum() / image[0].sum() for axis in (rows, rows.T)]
            shifts.append(
                [a - b[true].mean() for a, b in zip(seen, (rows, rows.T), strict=True)]
            )
    assert len(shifts) > 10
    assert np.abs(np.mean(shifts, axis=0)).max() < 0.06


def test_scale_magnifies(cells):
    def area(scale):
        dataset = CropDataset([cells], config(scale=(scale, scale), crop_size=200))
        areas = [a for i in range(10) for a in dataset.crop(i)[1].areas.tolist()]
        return max(areas)

    assert area(1.5) / area(1.0) == pytest.approx(2.25, rel=0.02)


def test_what_lies_outside_the_image_is_black_and_ignored():
    labels = np.zeros((40, 50), int)
    labels[10:20, 10:20] = 1
    white = np.full((40, 50, 3), 255, np.uint8)
    image, target = CropDataset([annotated(labels, white)], config()).crop(0)
    assert (~target.ignore).sum() == 40 * 50
    assert torch.equal(image[0] == 0, target.ignore)
    assert target.areas.tolist() == [100]


def test_ignored_pixels_and_cut_objects_are_carried_along():
    labels = np.zeros((64, 64), int)
    labels[:20, :20] = 1
    labels[40:50, 40:50] = 2
    ignore = np.zeros((64, 64), bool)
    ignore[3:, :20] = True  # 60 of the 400 pixels of object 1 are left
    _, target = CropDataset([annotated(labels, ignore=ignore)], config()).crop(0)
    assert target.areas.tolist() == [100]
    assert target.ignore[:20, :20].all()
    assert target.ignore.sum() == 61 * 20 + 3 * 20


def test_crops_prefer_objects_and_still_show_the_rest():
    dataset = CropDataset([annotated(disc((1000, 1000), (500, 500), 12))], config())
    found = np.mean([len(dataset.crop(i)[1].boxes) for i in range(100)])
    assert 0.65 < found < 0.9


def test_crops_prefer_small_objects():
    labels = disc((1000, 1000), (200, 200), 4) + disc((1000, 1000), (800, 800), 16, 2)
    dataset = CropDataset([annotated(labels)], config())
    # Chances of 4 to 1, and areas tell them apart.
    seen = [dataset.crop(i)[1].areas for i in range(200)]
    small = np.mean([float(areas[0]) < 100 for areas in seen if len(areas)])
    assert 0.7 < small < 0.9


def test_weights_choose_among_images(cells):
    empty = annotated(np.zeros((80, 80), int))
    dataset = CropDataset([cells, empty], config(), weights=[0, 5])
    assert all(len(dataset.crop(i)[1].boxes) == 0 for i in range(10))


@pytest.mark.parametrize("weights", [[1], [0, 0], [1, -1]])
def test_weights_that_make_no_sense_are_refused(cells, weights):
    with pytest.raises(ValueError, match="weight"):
        CropDataset([cells, cells], config(), weights=weights)


def test_no_images_are_refused():
    with pytest.raises(ValueError, match="at least one"):
        CropDataset([], config())


def test_classes_reach_the_target():
    labels = np.zeros((64, 64), np.int32)
    labels[4:20, 4:20], labels[30:50, 30:50] = 1, 2
    image = np.zeros((64, 64, 3), np.uint8)
    source = TrainingImage(image, labels, None, np.array([4, 2]), "a")
    _, target = CropDataset([source], config()).crop(0)
    assert target.class_ids.tolist() == [4, 2]


def test_float_images_and_read_only_views_are_taken(cells):
    gray = (cells.labels[..., None] > 0).astype(np.float32)
    view = np.broadcast_to(gray, (150, 200, 3))
    source = annotated(cells.labels, view)
    image, _ = CropDataset([source], config()).crop(0)
    same_image, _ = CropDataset([cells], config()).crop(0)
    torch.testing.assert_close(image, same_image)


@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (64, 64)])
def test_images_of_any_size_are_taken(shape):
    dataset = CropDataset([annotated(np.zeros(shape, int))], TrainConfig(crop_size=64))
    for index in range(5):
        image, target = dataset.crop(index)
        assert image.shape == (3, 64, 64)
        assert len(target.boxes) == 0


def test_empty_crops_show_light_and_noise_but_no_object(cells):
    augment = AugmentConfig(empty=1)
    dataset = CropDataset([cells], TrainConfig(crop_size=64, augment=augment))
    crops = [dataset.crop(number) for number in range(20)]
    for image, target in crops:
        assert image.shape == (3, 64, 64)
        assert image.min() >= 0
        assert image.max() <= 1
        assert len(target.class_ids) == 0
        assert not target.ignore.any()
    # Stretched to the full range, as an image of its own is.
    assert np.median([float(image.max() - image.min()) for image, _ in crops]) > 0.6
    assert same(dataset.crop(7), crops[7])
