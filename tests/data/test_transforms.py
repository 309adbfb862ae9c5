"""From a frame to the model's input, against detectron2's transforms.

Where detectron2 can be imported, it is asked. Elsewhere there are numbers and sha256 sums that its
transforms (at 02b5c4e2, with Pillow 13) gave for `picture`: those of ResizeShortestEdge, and those
of RandomFlip, ResizeScale(0.1, 2.0) and FixedSizeCrop after `numpy.random.seed(seed)`.
"""

import hashlib
import itertools
import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from videottt.core.errors import InputError
from videottt.core.randomness import generator, numpy_generator
from videottt.core.segments import VOID
from videottt.data.transforms.colour_jitter import SsdColours, draw_ssd, ssd_recoloured
from videottt.data.transforms.recipe import augment, draw_view
from videottt.data.transforms.resize import input_size, resize_image, scaled_size
from videottt.data.transforms.update_views import (
    fixed_size_crop,
    random_crop,
    random_view,
    view_at,
)
from videottt.data.transforms.view import apply_view, invert_view
from videottt.models.inputs import normalise, pad_to_stride
from videottt.settings.augmentation import Augmentation, Views
from videottt.settings.method import method_from
from videottt.ttt.memory import shown_to_update

KITTI, COCO = (1024, 2048), (800, 1333)
SHORTEST_EDGE = [
    ((375, 1242), KITTI, (618, 2048), "48782b2006c8f884"),
    ((370, 1224), KITTI, (619, 2048), "2ef236d0a6efaa3e"),
    ((376, 1241), KITTI, (621, 2048), "ef43e8903dbfdc54"),
    ((374, 1238), KITTI, (619, 2048), "026714da76ab870a"),
    ((480, 640), COCO, (800, 1067), "4a64b7570faf8c80"),
    ((480, 854), COCO, (749, 1333), "adfdde238ee27ca3"),
    ((854, 480), COCO, (1333, 749), "047c0881b19806cd"),
    ((60, 248), COCO, (322, 1333), "72fffe717f947161"),
    ((360, 480), (96, 256), (96, 128), "e7c82a0ec4f6865d"),
]
VIEWS = [  # seed, frame, crop
    (0, (48, 85), (96, 128), "d8adf98731ea2bdc"),
    (100, (48, 85), (96, 128), "d1d181e6bbf9c9f0"),
    (1, (48, 85), (96, 128), "c24f27c7bed1a0e3"),
    (2, (85, 48), (96, 128), "d2579bc20370200c"),
    (102, (85, 48), (96, 128), "b19fdefaa00785be"),
    (4, (54, 96), (96, 96), "80413ffc92be394d"),
    (104, (54, 96), (96, 96), "055a20740f124444"),
    (5, (480, 854), (1024, 1024), "f1676912301c0f4d"),
    (106, (480, 640), (1024, 1024), "6c124eca6abd54f6"),
]


def picture(height, width):
    """Return an image whose neighbouring pixels differ a lot, uint8 [H, W, 3]."""
    y, x = np.mgrid[:height, :width].astype(np.int64)
    planes = [(x * 7 + y * 3) % 256, (x * y // 5) % 256, (x * x + 11 * y) // 3 % 256]
    return np.stack(planes, axis=2).astype(np.uint8)


def digest(pixels):
    assert pixels.dtype == np.uint8
    return hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest()[:16]


@pytest.fixture(scope="module")
def transforms():
    return pytest.importorskip(
        "detectron2.data.transforms", reason="detectron2 is no dependency; its numbers are stored"
    )


# Frames


@pytest.mark.parametrize(("size", "edges", "resized", "pixels"), SHORTEST_EDGE)
def test_frames_are_resized_to_the_pixels_that_detectron2_gave(size, edges, resized, pixels):
    assert input_size(size, *edges) == resized
    assert digest(resize_image(picture(*size), resized)) == pixels


def test_every_size_is_rounded_as_detectron2_rounds_it(transforms):
    rounded = transforms.ResizeShortestEdge.get_output_shape
    sizes = [*itertools.product(range(60, 700, 7), range(60, 1300, 11)), (60, 248), (97, 512)]
    for edges in (KITTI, COCO, (96, 256)):
        assert [input_size(s, *edges) for s in sizes] == [rounded(*s, *edges) for s in sizes]


@pytest.mark.parametrize(("size", "edges"), [each[:2] for each in SHORTEST_EDGE])
def test_frames_are_resized_as_detectron2_resizes_them(transforms, size, edges):
    image = picture(*size)
    expected = transforms.ResizeShortestEdge([edges[0]] * 2, edges[1]).get_transform(image)
    found = resize_image(image, input_size(size, *edges))
    assert np.array_equal(found, expected.apply_image(image))


def test_shrinking_averages_pixels():
    chequered = np.indices((64, 64)).sum(axis=0)[..., None].repeat(3, axis=2) % 2 * 255
    shrunk = resize_image(chequered.astype(np.uint8), (16, 16))
    assert np.abs(shrunk.astype(int) - 128).max() <= 1


def test_a_frame_is_normalised_then_padded_with_0_as_the_authors_model_does_it():
    image = picture(45, 70)
    mean, std = (
        torch.tensor(each).view(-1, 1, 1)
        for each in ([123.675, 116.28, 103.53], [58.395, 57.12, 57.375])
    )
    theirs = (torch.from_numpy(image.transpose(2, 0, 1)) - mean) / std
    padded = torch.zeros(3, 64, 96)
    padded[:, :45, :70] = theirs
    assert torch.equal(pad_to_stride(normalise(torch.from_numpy(image[None])))[0], padded)


# The frames of an update


def shown(image, crop, draws):
    """What an update sees of an image."""
    method = SimpleNamespace(crop=crop, views=None)
    return shown_to_update(torch.from_numpy(image), method, draws).numpy()


@pytest.mark.parametrize(
    ("size", "cut", "padded"),
    [
        ((618, 2048), (512, 1024), (512, 1024)),
        ((64, 200), (64, 128), (64, 128)),
        ((50, 300), (50, 128), (64, 128)),  # no taller than the crop: all rows, then black
        ((50, 70), (50, 70), (64, 96)),
    ],
)
def test_a_crop_is_no_larger_than_the_frame_and_black_to_the_next_32(size, cut, padded):
    crop = (512, 1024) if size[0] > 512 else (96, 128)
    image = np.maximum(picture(*size), 1)
    draws = generator("crop", *size)
    for _ in range(4):
        part = shown(image, crop, draws)
        assert part.shape == (*padded, 3)
        assert (part[: cut[0], : cut[1]] > 0).all()
        assert part[cut[0] :].max(initial=0) == part[:, cut[1] :].max(initial=0) == 0


def test_every_crop_of_a_frame_is_as_likely_as_any_other():
    image = np.arange(40 * 36, dtype=np.int64).reshape(40, 36, 1)
    draws = generator("uniform")
    starts = [int(random_crop(image, (32, 32), draws)[0, 0, 0]) for _ in range(4500)]
    counts = np.bincount([start // 36 * 5 + start % 36 for start in starts], minlength=45)
    assert len(counts) == 45
    assert ((counts - 100) ** 2 / 100).sum() < 83  # 0.04 % of a chi-square with 44 degrees


def test_the_whole_frame_is_shown_without_a_crop():
    image = picture(33, 64)
    whole = shown(image, None, generator("whole"))
    assert np.array_equal(whole[:33], image)
    assert whole.shape == (64, 64, 3)
    assert not whole[33:].any()


@pytest.mark.parametrize(("seed", "size", "crop", "pixels"), VIEWS)
def test_views_are_the_pixels_that_detectron2_gave(seed, size, crop, pixels):
    numbers = np.random.RandomState(seed).random_sample(3)
    assert digest(view_at(picture(*size), Views(crop), *numbers)) == pixels


@pytest.mark.parametrize(("seed", "size", "crop"), [each[:3] for each in VIEWS])
def test_views_are_those_of_detectron2(transforms, seed, size, crop):
    recipe = transforms.AugmentationList(
        [
            transforms.RandomFlip(),
            transforms.ResizeScale(0.1, 2.0, *crop),
            transforms.FixedSizeCrop(crop_size=crop),
        ]
    )
    for again in range(0, 50, 10):
        np.random.seed(seed + again)
        taken = transforms.AugInput(picture(*size))
        recipe(taken)
        numbers = np.random.RandomState(seed + again).random_sample(3)
        assert np.array_equal(view_at(picture(*size), Views(crop), *numbers), taken.image)


SMALL = Views(crop=(64, 96))


def test_the_same_draws_are_the_same_views_and_three_draws_make_one():
    image = picture(40, 70)
    first, again, other = (
        [random_view(image, SMALL, draws) for _ in range(5)]
        for draws in (generator("a"), generator("a"), generator("b"))
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert len({view.tobytes() for view in first}) == 5
    draws = generator("a")
    torch.rand(3, generator=draws, dtype=torch.float64)
    assert np.array_equal(random_view(image, SMALL, draws), first[1])


@pytest.mark.parametrize("size", [(40, 70), (70, 40), (64, 96), (7, 300)])
def test_a_view_is_the_frame_at_the_upper_left_and_grey_beyond_it(size):
    white = np.full((*size, 3), 255, np.uint8)
    for scale in np.linspace(0, 1, 12):
        view = view_at(white, SMALL, 0.9, scale, 0.5)
        assert view.shape == (64, 96, 3)
        height, width = (
            min(pair)
            for pair in zip(
                scaled_size(size, SMALL.crop, 0.1 + 1.9 * scale), SMALL.crop, strict=True
            )
        )
        assert (view[:height, :width] == 255).all()
        assert (view[height:] == 128).all()
        assert (view[:, width:] == 128).all()


def test_a_view_is_flipped_as_often_as_the_recipe_says():
    image = picture(64, 96)
    still = {"crop": (64, 96), "scales": (1.0, 1.0)}
    assert np.array_equal(view_at(image, Views(**still), 0.49, 0.3, 0.7), image[:, ::-1])
    assert np.array_equal(view_at(image, Views(**still), 0.5, 0.3, 0.7), image)
    for flip, expected in ((0.0, 0), (1.0, 40)):
        draws = generator("flip")
        views = [random_view(image, Views(**still, flip=flip), draws) for _ in range(40)]
        assert sum(np.array_equal(view, image[:, ::-1]) for view in views) == expected


def test_a_cut_is_placed_by_one_number_for_both_axes():
    image = picture(104, 176)
    for place, start in ((0.0, (0, 0)), (0.5, (20, 40)), (0.99, (40, 79)), (1.0, (40, 80))):
        cut = image[start[0] : start[0] + 64, start[1] : start[1] + 96]
        assert np.array_equal(fixed_size_crop(image, (64, 96), place, 128), cut)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"crop": [64, 96], "views": {}}, ["crop and views", "null"]),
        ({"crop": [64, 90]}, ["crop.1", "90", "a multiple of 32"]),
        ({"views": {"crop": [0, 64]}}, ["views.crop.0", "at least 32"]),
        ({"views": {"scales": [2.0, 0.1]}}, ["views", "scales", "smallest"]),
        ({"views": {"flip": 1.5}}, ["views.flip", "at most 1"]),
        ({"views": {"padding": 300}}, ["views.padding", "at most 255"]),
        ({"views": {"flips": 1}}, ["views", "did you mean 'flip'"]),
    ],
    ids=json.dumps,
)
def test_invalid_settings_of_views_are_refused(settings, named):
    with pytest.raises(InputError) as raised:
        method_from({"objective": "mae", **settings})
    assert all(each in str(raised.value) for each in named)
    assert "\n" not in str(raised.value)


# Joint training

CITYSCAPES = {
    "shortest_edge": 1024,
    "longest_edge": 2048,
    "crop": (512, 1024),
    "scales": tuple(each / 10 for each in range(5, 21)),
    "geometry": "detectron2",
    "colour": 0.0,
}
JITTER = {
    "shortest_edge": 800,
    "longest_edge": 1333,
    "crop": (96, 128),
    "scales": (0.1, 2.0),
    "scale_to": "crop",
    "padding": 128,
    "geometry": "detectron2",
    "colour": 0.0,
}


def labels_of(height, width):
    """Return classes uint8 and instances uint16 whose borders are everywhere."""
    red, green, _ = np.moveaxis(picture(height, width), 2, 0)
    return red // 16, green.astype(np.uint16) * 250


def test_recipes_older_than_detectron2_s_geometry_give_the_same_samples():
    recipe = Augmentation(96, 256, (96, 128), scales=(0.9, 1.4), flip=0.5, colour=0.5)
    jitter = Augmentation(
        96, 256, (96, 128), scales=(0.8, 1.6), scale_to="crop", padding=128, colour=0.5
    )
    found = []
    for settings in (recipe, jitter):
        image = picture(90, 160)
        layers = image, image[..., 0] // 16, image[..., 1].astype(np.uint16) * 30
        samples = hashlib.sha256()
        for index in range(6):
            for layer in augment(*layers, settings, numpy_generator("s", index)):
                samples.update(np.ascontiguousarray(layer).tobytes())
            view = draw_view((90, 160), settings, numpy_generator("v", index))
            seen = apply_view(image, view)
            samples.update(seen.tobytes())
            samples.update(invert_view(seen[..., 0].copy(), view, (90, 160)).tobytes())
        found.append(samples.hexdigest()[:16])
    assert found == ["1e3694237d11be06", "e0e1892bc5b08ad9"]


def test_scales_of_cityscapes_are_the_shortest_edges_of_mask2former():
    edges = {
        draw_view((1024, 2048), Augmentation(**CITYSCAPES), numpy_generator(index)).scaled
        for index in range(300)
    }
    assert edges == {
        (int(x * 0.1 * 1024), 2 * int(x * 0.1 * 1024)) for x in range(5, 21)
    }  # INPUT.MIN_SIZE_TRAIN
    # MAX_SIZE_TRAIN, 4096, holds at every scale.
    widest = {
        draw_view((256, 2048), Augmentation(**CITYSCAPES), numpy_generator(index)).scaled
        for index in range(300)
    }
    assert widest == {(512, 4096)}


@pytest.mark.parametrize(
    ("recipe", "size", "samples"),
    [(CITYSCAPES, (512, 1024), "6a5328b73257e77d"), (JITTER, (85, 60), "33c88af842acb803")],
    ids=["cityscapes", "jitter"],
)
def test_samples_are_those_that_mask2former_s_mappers_gave(recipe, size, samples):
    found = hashlib.sha256()
    for index in range(4):
        layers = picture(*size), *labels_of(*size)
        draws = numpy_generator("sample", index)
        for layer in augment(*layers, Augmentation(**recipe), draws)[:2]:
            found.update(np.ascontiguousarray(layer).tobytes())
    assert found.hexdigest()[:16] == samples


@pytest.mark.parametrize(("recipe", "size"), [(CITYSCAPES, (512, 1024)), (JITTER, (85, 60))])
def test_samples_are_those_of_mask2former_s_mappers(transforms, recipe, size):
    image, (classes, instances) = picture(*size), labels_of(*size)
    for index in range(4):
        settings = Augmentation(**recipe)
        view = draw_view(size, settings, numpy_generator("sample", index))
        steps = [
            transforms.ResizeTransform(*size, *view.scaled),
            transforms.CropTransform(*view.start[::-1], *view.inner[::-1]),
        ]
        if view.flipped:
            steps.append(transforms.HFlipTransform(view.inner[1]))
        below, right = (settings.crop[axis] - view.inner[axis] for axis in (0, 1))
        steps.append(transforms.PadTransform(0, 0, right, below, *view.inner[::-1], 128, VOID))
        theirs = transforms.TransformList(steps)
        found = augment(image, classes, instances, settings, numpy_generator("sample", index))
        assert np.array_equal(found[0], theirs.apply_image(image))
        # The semantic mapper holds labels as doubles, the panoptic one as bytes.
        held = classes if recipe is JITTER else classes.astype(np.float64)
        assert np.array_equal(found[1], theirs.apply_segmentation(held))


def test_jitter_of_joint_training_is_sized_and_placed_like_a_view():
    settings = Augmentation(**JITTER)
    for index in range(20):
        view = draw_view((60, 107), settings, numpy_generator("jitter", index))
        free = [max(0, view.scaled[axis] - settings.crop[axis]) for axis in (0, 1)]
        places = [view.start[axis] / free[axis] for axis in (0, 1) if free[axis]]
        if len(places) == 2:
            assert places[0] == pytest.approx(places[1], abs=1 / min(free))
        image = picture(60, 107)
        seen = apply_view(image, view)
        resized = resize_image(image, view.scaled)[
            view.start[0] : view.start[0] + 96, view.start[1] : view.start[1] + 128
        ]
        upper_left = resized[:, ::-1] if view.flipped else resized
        height, width = view.inner
        assert np.array_equal(seen[:height, :width], upper_left)
        assert (seen[height:] == 128).all()
        assert (seen[:, width:] == 128).all()


@pytest.mark.parametrize("recipe", [CITYSCAPES | {"crop": (32, 64), "shortest_edge": 40}, JITTER])
def test_labels_come_back_from_views_with_detectron2_s_geometry(recipe):
    blocks = np.arange(12, dtype=np.uint8).reshape(3, 4).repeat(20, axis=0).repeat(20, axis=1) * 20
    flips = set()
    for index in range(12):
        view = draw_view((60, 80), Augmentation(**recipe), numpy_generator("back", index))
        seen = apply_view(np.stack([blocks] * 3, axis=2), view)
        back = invert_view(seen[..., 0], view, (60, 80))
        known = back != VOID
        flips.add(view.flipped)
        if min(view.scaled) > 30:
            assert known.mean() > 0.05
            assert (np.abs(back.astype(int) - blocks)[known] < 10).mean() > 0.8
    assert flips == {False, True}


def pil(pixels):
    from PIL import Image

    return Image.fromarray(pixels)


def test_each_of_ssd_s_changes_has_its_effect():
    image = picture(32, 48)
    plain = {"brightness": 0, "contrast": 1, "saturation": 1, "turn": 0, "contrast_last": False}

    def changed(**values):
        return np.asarray(ssd_recoloured(pil(image), SsdColours(**{**plain, **values})))

    assert np.array_equal(changed(), image)
    brighter = np.clip(image.astype(np.float32) + np.float32(20.7), 0, 255).astype(np.uint8)
    assert np.array_equal(changed(brightness=20.7), brighter)
    stronger = np.clip(image.astype(np.float32) * np.float32(1.3), 0, 255).astype(np.uint8)
    assert np.array_equal(changed(contrast=1.3), stronger)
    grey = changed(saturation=0.0)
    assert np.ptp(grey, axis=2).max() == 0
    assert np.array_equal(grey[..., 0], image.max(axis=2))
    pure = np.array([[[255, 0, 0], [0, 255, 0], [9, 9, 9]]], np.uint8)
    turned = np.asarray(ssd_recoloured(pil(pure), SsdColours(0, 1, 1, 1 / 3, False)))
    assert np.abs(turned.astype(int) - [[[0, 255, 0], [0, 0, 255], [9, 9, 9]]]).max() <= 3


def test_ssd_s_changes_have_its_ranges_and_probabilities():
    drawn = [draw_ssd(0.5, numpy_generator("ssd", index)) for index in range(2000)]
    for name, neutral, most in [
        ("brightness", 0, 32), ("contrast", 1, 0.5), ("saturation", 1, 0.5), ("turn", 0, 0.1),
    ]:  # fmt: skip
        change = np.array([getattr(each, name) for each in drawn]) - neutral
        assert (change == 0).mean() == pytest.approx(0.5, abs=0.05)
        assert 0.95 * most < change.max() <= most
        assert -most <= change.min() < -0.95 * most
        assert np.abs(change[change != 0]).mean() == pytest.approx(most / 2, rel=0.1)
    assert np.mean([each.contrast_last for each in drawn]) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"geometry": "detectron"}, ["geometry", "did you mean 'detectron2'"]),
        ({"colours": "sdd"}, ["colours", "did you mean 'ssd'"]),
        ({"scales": (1.0,)}, ["scales", "at least 2"]),
    ],
)
def test_a_recipe_that_does_not_exist_is_refused(settings, named):
    with pytest.raises(InputError) as raised:
        Augmentation(64, 256, (64, 64), **settings)
    assert all(each in str(raised.value) for each in named)
