"""A step must not wait for its device: what would make a GPU wait is counted, without a GPU.

The model lies on torch's device "meta", whose tensors have shapes but no values. So everything that
a program reads from the device or blocks on is an operator that a dispatch mode sees; what needs
values to know its shape, such as `nonzero`, meta refuses.
"""

import collections
import contextlib

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from support import small_model
from videottt.core.ids import JobKey
from videottt.core.randomness import generator
from videottt.settings.method import Method
from videottt.ttt.clock import HostClock
from videottt.ttt.objectives import objective_named
from videottt.ttt.objectives.mae import MaskedAutoencoding
from videottt.ttt.objectives.objective import REGISTERED
from videottt.ttt.update import Updates

SIZE = (64, 96)
KEY = JobKey("synthetic", "semantic", "online_ttt_mae", 0, "tiny_0")


class Waits(TorchDispatchMode):
    """Count what the program waits for: "read" of a value, and "copy" that is not asynchronous."""

    def __init__(self):
        super().__init__()
        self.seen = collections.Counter()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = function.overloadpacket.__name__
        tensors = [each for each in tree_leaves((args, kwargs)) if isinstance(each, torch.Tensor)]
        if any(each.is_meta for each in tensors):
            if name == "_local_scalar_dense":
                self.seen["read"] += 1
                return 1.0
            if name == "_to_copy" and torch.device(kwargs.get("device") or "meta").type == "cpu":
                self.seen["read"] += 1
                return torch.ones(args[0].shape, dtype=args[0].dtype)
        result = function(*args, **kwargs)
        if name in ("_to_copy", "copy_") and args[-1].device.type == "cpu":
            blocking = not kwargs.get("non_blocking", False)
            self.seen["copy"] += blocking and result.is_meta
        return result


@pytest.fixture(autouse=True)
def like_a_gpu(monkeypatch):
    """Let the meta device pass for one that has autocast."""
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: contextlib.nullcontext())


@pytest.fixture
def waits(monkeypatch):
    """Return the counter, which also counts tensors that are made of Python's numbers."""
    counter = Waits()
    for name in ("tensor", "as_tensor"):
        original = getattr(torch, name)

        def made(*args, original=original, **kwargs):
            counter.seen["copy"] += torch.device(kwargs.get("device") or "cpu").type == "meta"
            return original(*args, **kwargs)

        monkeypatch.setattr(torch, name, made)
    return counter


@pytest.fixture
def blocking():
    """Register, for one test, an objective that reads its own loss."""

    class Blocking(MaskedAutoencoding, name="blocking"):
        def loss(self, model, images, generator):
            loss = super().loss(model, images, generator)
            return loss * float(loss.detach())

    yield
    REGISTERED.pop("blocking")


def updates_of(objective, **changes):
    method = Method(objective=objective, batch=4, precision="float32", **changes)
    model = small_model().eval().to("meta")
    return Updates(model, objective_named(objective, {}), method, KEY)


def warmed_up(updates, waits):
    """Take a step and forget its waits: what depends on the images' size alone is made once."""
    with waits:
        take(updates, 1)
        updates.read()
    waits.seen.clear()
    return updates


def take(updates, steps):
    """Take steps on batches as the window gives them: bytes on the device."""
    images = torch.zeros(4, *SIZE, 3, dtype=torch.uint8, device="meta")
    for step in range(steps):
        updates.take(images, 0, step, generator("step", step), HostClock())


@pytest.mark.parametrize("micro_batch", [None, 1])
@pytest.mark.parametrize("drop_path", [False, True])
@pytest.mark.parametrize("objective", ["mae", "self_train", "tent"])
def test_the_steps_of_a_frame_wait_once(waits, objective, drop_path, micro_batch):
    updates = updates_of(objective, drop_path=drop_path, micro_batch=micro_batch)
    warmed_up(updates, waits)
    with waits:
        take(updates, 3)
        assert not +waits.seen
        assert len(updates.read()) == 3
        assert +waits.seen == {"read": 1}


def test_a_batch_of_the_cpu_is_copied_without_waiting(waits):
    updates = warmed_up(updates_of("mae"), waits)
    with waits:
        images = torch.zeros(4, *SIZE, 3, dtype=torch.uint8)
        updates.take(images, 0, 1, generator("step"), HostClock())
    assert not +waits.seen


def test_a_prediction_waits_for_nothing_before_it_is_decoded(waits):
    model = small_model().eval().to("meta")
    images = torch.zeros(1, 3, *SIZE, device="meta")
    with torch.inference_mode():
        model.predict_final(images)
        with waits:
            model.predict_final(images)
    assert not +waits.seen


def test_reading_a_loss_within_a_step_is_counted(waits, blocking):
    updates = updates_of("blocking")
    with waits:
        take(updates, 2)
    assert waits.seen["read"] == 2


WAITING = {
    "read": [
        lambda loss: float(loss),
        lambda loss: loss.item(),
        lambda loss: bool(loss > 0),
        lambda loss: loss.cpu(),
        lambda loss: loss[None].tolist(),
    ],
    "copy": [
        lambda loss: torch.zeros(2).to(loss.device),
        lambda loss: loss.copy_(torch.zeros(())),
        lambda loss: torch.tensor([1.0], device=loss.device),
    ],
}


@pytest.mark.parametrize(
    ("what", "wait"), [(what, wait) for wait, examples in WAITING.items() for what in examples]
)
def test_the_counter_sees(waits, what, wait):
    with waits:
        what(torch.zeros((), device="meta"))
    assert +waits.seen == {wait: 1}


@pytest.mark.parametrize("what", [torch.nonzero, torch.unique, lambda mask: mask[mask]])
def test_meta_refuses_shapes_that_depend_on_values(what):
    with pytest.raises(NotImplementedError):
        what(torch.zeros(3, dtype=torch.bool, device="meta"))
