"""Test instance and panoptic segmentation: targets, decoding and a training step."""

import numpy as np
import pytest
import torch

from support import SMALLEST, SPACE, store_frames, train_small
from videottt.core.errors import InputError
from videottt.core.segments import ClassSpace, instances_of, panoptic_from
from videottt.models.inputs import Placement
from videottt.models.y_shaped import QueryOutputs, YShapedModel
from videottt.settings.decoding import Decoding
from videottt.store.source_frame import SourceFrame
from videottt.tasks import model_classes, task_named
from videottt.tasks.task import LabelMaps

# a and d are stuff.
ABCD = ClassSpace(("a", "b", "c", "d"), ("b", "c"))
A, B, C, D = range(4)


def outputs(queries, masks, classes=4):
    """Return outputs of h from {class: probability} for each query, and masks of 0 and 1."""
    probabilities = torch.full((1, len(queries), classes + 1), 1e-6)
    for query, shares in enumerate(queries):
        probabilities[0, query, -1] = 1 - sum(shares.values()) + 1e-6
        for name, share in shares.items():
            probabilities[0, query, name] = share
    logits = torch.as_tensor(np.stack(masks), dtype=torch.float32)[None] * 24 - 12
    return QueryOutputs((probabilities.log(),), (logits,))


def box(top, bottom, left, right, size=(8, 8)):
    mask = np.zeros(size)
    mask[top:bottom, left:right] = 1
    return mask


PLACE = Placement((8, 8), (8, 8), (8, 8))
FRAME = np.zeros((8, 8, 3), np.uint8)  # segmentation decodes no pixel


def decoded(task, queries, masks, place=PLACE, **thresholds):
    decoding = Decoding(**thresholds)
    return task_named(task, ABCD, decoding=decoding).decode(outputs(queries, masks), place, FRAME)


# Panoptic


def test_a_pixel_goes_to_the_query_with_the_largest_class_times_mask_probability():
    left, right = box(0, 8, 0, 5), box(0, 8, 3, 8)
    found = decoded("panoptic", [{B: 0.95}, {C: 0.9}], [left, right], overlap_threshold=0.5)
    assert found.classes.tolist() == [B, C]
    assert found.scores == pytest.approx([0.95, 0.9], abs=1e-3)
    assert (found.ids[:, :5] == 1).all()
    assert (found.ids[:, 5:] == 2).all()


def test_a_segment_that_keeps_too_little_of_its_mask_is_left_out_and_leaves_void():
    # Columns 3 and 4 of five are lost to the better query: 3/5 = 0.6 are kept.
    queries, masks = [{B: 0.95}, {C: 0.9}], [box(0, 8, 3, 8), box(0, 8, 0, 5)]
    kept = decoded("panoptic", queries, masks, overlap_threshold=0.59)
    lost = decoded("panoptic", queries, masks, overlap_threshold=0.61)
    assert kept.classes.tolist() == [B, C]
    assert lost.classes.tolist() == [B]
    assert (lost.ids[:, :3] == 0).all()
    assert (lost.ids[:, 3:] == 1).all()


def test_stuff_of_a_class_is_one_segment_and_things_are_not():
    quarters = [box(0, 4, 0, 4), box(0, 4, 4, 8), box(4, 8, 0, 4), box(4, 8, 4, 8)]
    found = decoded("panoptic", [{A: 0.9}, {B: 0.9}, {B: 0.9}, {A: 0.9}], quarters)
    assert found.classes.tolist() == [A, B, B]
    assert found.ids[0, 0] == found.ids[7, 7] == 1
    assert found.ids[0, 7] != found.ids[7, 0]
    assert np.array_equal(found.semantic[:4, :4], np.full((4, 4), A))


def test_queries_without_an_object_or_without_confidence_are_no_segments():
    whole = box(0, 8, 0, 8)
    nothing = decoded("panoptic", [{A: 0.3}, {B: 0.79}], [whole, whole])
    assert nothing.classes.size == 0
    assert (nothing.ids == 0).all()
    assert decoded(
        "panoptic", [{A: 0.3}, {B: 0.79}], [whole, whole], object_mask_threshold=0.78
    ).classes.tolist() == [B]


def authors_panoptic(outputs, is_thing, object_threshold, overlap_threshold):
    """Return each pixel's class and the segments' areas, in the steps of Mask2Former's code."""
    classes, masks = outputs.class_logits[-1][0], outputs.mask_logits[-1][0].sigmoid()
    scores, labels = classes.softmax(-1).max(-1)
    keep = labels.ne(len(is_thing)) & (scores > object_threshold)
    scores, labels, masks = scores[keep], labels[keep], masks[keep]
    semantic = torch.full(masks.shape[1:], 255)
    areas = []
    if not len(labels):
        return semantic, areas
    ids = (scores.view(-1, 1, 1) * masks).argmax(0)
    stuff = {}
    for k in range(len(labels)):
        name = int(labels[k])
        mask_area, original = (ids == k).sum().item(), (masks[k] >= 0.5).sum().item()
        mask = (ids == k) & (masks[k] >= 0.5)
        if mask_area > 0 and original > 0 and mask.sum().item() > 0:
            if mask_area / original < overlap_threshold:
                continue
            semantic[mask] = name
            if not is_thing[name] and name in stuff:
                areas[stuff[name]] += mask.sum().item()
                continue
            stuff[name] = len(areas)
            areas.append(mask.sum().item())
    return semantic, areas


@pytest.mark.parametrize("seed", range(20))
def test_panoptic_decoding_is_that_of_mask2former(seed):
    draws = torch.Generator().manual_seed(seed)
    coarse, fine = (torch.randn(1, 12, n, n, generator=draws) for n in (4, 16))
    blobs = torch.nn.functional.interpolate(coarse, scale_factor=4)
    logits = 3 * torch.randn(1, 12, 5, generator=draws)
    said = QueryOutputs((logits,), (2 * blobs + fine,))
    task = task_named("panoptic", ABCD, decoding=Decoding(0.5, 0.4))
    found = task.decode(said, Placement((16, 16), (16, 16), (16, 16)), FRAME)
    semantic, areas = authors_panoptic(said, ABCD.is_thing, 0.5, 0.4)
    assert np.array_equal(found.semantic, semantic)
    assert np.bincount(found.ids.ravel(), minlength=len(areas) + 1)[1:].tolist() == areas
    assert areas or seed


# Instances


def test_instances_are_the_best_pairs_of_query_and_thing_class():
    masks = [box(0, 4, 0, 4), box(2, 8, 2, 8)]
    found = of_things([{0: 0.9}, {1: 0.6, 0: 0.3}], masks, top_k=3)
    assert found.classes.tolist() == [B, C, B]
    # The mask's own probability is sigmoid(12) everywhere inside.
    assert found.scores == pytest.approx([0.9, 0.6, 0.3], abs=1e-3)
    pixels = found.pixels()
    assert np.array_equal(pixels[0], masks[0])
    assert np.array_equal(pixels[1], masks[1])
    assert found.masks[1] == found.masks[2]
    assert len(of_things([{0: 0.9}, {1: 0.6, 0: 0.3}], masks, top_k=1)) == 1


def of_things(queries, masks, place=PLACE, **thresholds):
    """Decode outputs of a model that predicts the two thing classes only."""
    task = task_named("instance", ABCD, decoding=Decoding(**thresholds))
    return task.decode(outputs(queries, masks, classes=2), place, FRAME)


def test_a_panoptic_model_gives_instances_of_things_only():
    task = task_named("instance", ABCD, ABCD.classes, Decoding(top_k=3))
    masks = [box(0, 4, 0, 4), box(2, 8, 2, 8), box(0, 8, 0, 8)]
    found = task.decode(outputs([{A: 0.9}, {C: 0.8}, {D: 0.7}], masks), PLACE, FRAME)
    assert found.classes.tolist() == [C]
    assert np.array_equal(found.pixels()[0], masks[1])


def test_an_unsure_mask_lowers_its_score_and_an_empty_one_is_no_instance():
    unsure = box(0, 4, 0, 8) * 0.5 + 0.03  # logit 0.72 inside, -11.28 outside
    sure, empty = box(0, 4, 0, 8), np.zeros((8, 8))
    found = of_things([{0: 0.5}, {0: 0.9}, {1: 0.99}], [sure, unsure, empty], top_k=3)
    share = 1 / (1 + np.exp(-0.72))
    assert found.scores == pytest.approx([0.9 * share, 0.5], abs=1e-3)
    assert found.classes.tolist() == [B, B]


def test_masks_are_cropped_to_the_image_and_enlarged_to_the_frame():
    found = of_things([{0: 0.9}], [box(0, 8, 0, 6)], Placement((32, 32), (32, 24), (80, 60)))
    assert found.size == (80, 60)
    assert found.pixels().all()


# Targets


SEMANTIC = np.array([[B, B, C, A], [B, 255, C, A]], np.uint8)
INSTANCE = np.array([[1, 2, 0, 0], [1, 0, 0, 0]], np.int32)


def targets(task, classes=None):
    labels = LabelMaps(torch.from_numpy(SEMANTIC[None]), torch.from_numpy(INSTANCE[None]))
    masks, found = task_named(task, ABCD, classes).targets(labels)
    return masks[0].int().tolist(), found[0].tolist()


def test_panoptic_targets_are_things_one_by_one_and_stuff_by_class_without_crowds():
    masks, classes = targets("panoptic")
    assert classes == [A, B, B]  # C is a crowd: a thing class without instances
    assert masks == [
        [[0, 0, 0, 1], [0, 0, 0, 1]],
        [[1, 0, 0, 0], [1, 0, 0, 0]],
        [[0, 1, 0, 0], [0, 0, 0, 0]],
    ]


def test_instance_targets_are_the_things_in_the_classes_of_the_model():
    masks, classes = targets("instance")
    assert (len(masks), classes) == (2, [0, 0])
    assert targets("instance", ABCD.classes)[1] == [B, B]


def test_targets_and_ground_truth_have_the_same_segments():
    panoptic = panoptic_from(SEMANTIC, INSTANCE, ABCD)
    _, classes = targets("panoptic")
    assert panoptic.classes[~panoptic.crowd].tolist() == classes
    instances = instances_of(panoptic, ABCD)
    assert instances.classes.tolist() == [B, B, C]
    assert instances.crowd.tolist() == [False, False, True]


# Classes


def test_a_task_takes_only_a_model_of_its_classes():
    assert model_classes("instance", ABCD) == ("b", "c")
    assert model_classes("panoptic", ABCD) == ABCD.classes
    for task in ("semantic", "panoptic"):
        with pytest.raises(InputError, match=f"2 classes are not the 4 .* task '{task}'"):
            task_named(task, ABCD, ["b", "c"])
    with pytest.raises(InputError, match=r"3 classes are not the 2 .* task 'instance'"):
        task_named("instance", ABCD, ["a", "b", "c"])
    with pytest.raises(InputError, match="things"):
        task_named("instance", ClassSpace(("a", "b")))
    with pytest.raises(InputError, match="did you mean 'b'"):
        ClassSpace(("a", "b"), ("bb",))


# Training


@pytest.mark.parametrize("task", ["instance", "panoptic"])
def test_both_tasks_train_from_frames_with_objects(task, store_path):
    classes = model_classes(task, SPACE)
    model = YShapedModel(SMALLEST, len(classes), 0)
    before = model.head.class_predictor.weight.clone()
    run = train_small(model, [store_path], task=task, iterations=6)
    assert not torch.equal(before, run.model.head.class_predictor.weight)
    losses = [row["main_task"] for row in run.history]
    assert np.isfinite(losses).all()
    assert np.mean(losses[-2:]) < np.mean(losses[:2])


@pytest.mark.parametrize("task", ["instance", "panoptic"])
def test_images_without_an_object_can_be_trained_on(task, tmp_path):
    image = np.zeros((64, 64, 3), np.uint8)
    void = np.full((64, 64), 255, np.uint8)
    path = store_frames(tmp_path / "void.h5", [SourceFrame("0", image, void)])
    model = YShapedModel(SMALLEST, len(model_classes(task, SPACE)), 0)
    run = train_small(model, [path], task=task, iterations=2)
    assert np.isfinite([row["main_task"] for row in run.history]).all()
