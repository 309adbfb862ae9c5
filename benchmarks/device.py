"""What a GPU needs for a frame, by reckoning and by measuring.

    python benchmarks/device.py --roofline
    python benchmarks/device.py [--repeats 10] [--device cuda]

The sizes are the paper's: Swin-S, an update on 32 crops of 512x1024, a prediction at 1024x2048.
`--roofline` needs no GPU: it counts floating-point operations and bytes on torch's device "meta",
and divides them by what a card can do at most. This forward pass cannot be faster; it is slower.
Without it, the update, the prediction and the whole frame are measured in each precision, compiled
and as CUDA graph, and printed beside the smallest possible time on the card that is named nearest.
Weights are untrained: they do not change what an operation costs.
"""

import argparse
import contextlib
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from unittest import mock

import numpy as np
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from measuring import print_result
from videottt.core.ids import JobKey
from videottt.core.randomness import generator
from videottt.core.segments import ClassSpace
from videottt.models.inputs import to_input
from videottt.models.masking import random_visible, reconstruction_loss
from videottt.models.y_shaped import YShapedModel
from videottt.runtime.device import fitting_micro_batch, free_memory, prepare_device
from videottt.runtime.precision import DTYPES, allow_tf32
from videottt.settings.method import Method, OptimizerSettings
from videottt.settings.presets import preset_named
from videottt.tasks import task_named
from videottt.ttt.optimizer import clip_gradients, gradient_norm, optimizer_for
from videottt.ttt.stream import Stream

CLASSES = 19
GIGA = 1e9
FLOAT = 4  # bytes
# AdamW reads weight, gradient and two moments and writes all but the gradient; the norm reads the
# gradients, clipping reads and writes them: floats moved for each parameter.
UPDATED = 7 + 1 + 2


@dataclass(frozen=True)
class Card:
    """What a GPU can do at most, by its data sheet; products of dense matrices.

    Attributes:
        bfloat16, tf32, float32: operations a second.
        memory: bytes a second.
        capacity: bytes.
    """

    bfloat16: float
    tf32: float
    float32: float
    memory: float
    capacity: float


CARDS = {
    "A100 80GB": Card(312e12, 156e12, 19.5e12, 2.0e12, 80e9),
    "H100 SXM": Card(989e12, 494e12, 67e12, 3.35e12, 80e9),
}


@dataclass(frozen=True)
class Sizes:
    """The sizes of the work.

    Attributes:
        preset: name of the model's preset.
        batch: images of an update.
        crop: (H, W) of these images.
        frame: (H, W) of a frame.
    """

    preset: str
    batch: int
    crop: tuple[int, int]
    frame: tuple[int, int]


PAPER = Sizes("swin_small", 32, (512, 1024), (1024, 2048))


@dataclass(frozen=True)
class Work:
    """What an update or a prediction must do.

    Attributes:
        inside: operations of the pixel decoder, which mixed precision leaves in float32.
        outside: all other operations.
        weights: bytes of weights, gradients and moments that are read or written.
        kept: bytes of float32 that the forward passes of all images keep for the backward passes.
    """

    inside: float
    outside: float
    weights: float
    kept: float = 0.0

    def seconds(self, card: Card, inside: str, outside: str) -> float:
        """Return the smallest possible seconds, by the precision in and outside the pixel decoder.

        What must be computed and what must be moved overlap at best.
        """
        computed = self.inside / getattr(card, inside) + self.outside / getattr(card, outside)
        # Written once and read once; of bfloat16, half the bytes.
        kept = self.kept * (1 if outside == "bfloat16" else 2)
        return max(computed, (self.weights + kept) / card.memory)


# Precision of a row -> precisions in and outside the pixel decoder.
PRECISIONS = {
    "float32": ("float32", "float32"),
    "tf32": ("tf32", "tf32"),
    "bfloat16": ("tf32", "bfloat16"),
}


def main() -> None:
    """Reckon, or measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--roofline", action="store_true", help="reckon only; needs no GPU")
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--device", default="cuda", help="cuda, cuda:N; cpu to try the program")
    parser.add_argument("--preset", default=PAPER.preset)
    parser.add_argument("--batch", type=int, default=PAPER.batch)
    parser.add_argument("--crop", type=int, nargs=2, default=PAPER.crop)
    parser.add_argument("--frame", type=int, nargs=2, default=PAPER.frame)
    options = parser.parse_args()
    sizes = Sizes(options.preset, options.batch, tuple(options.crop), tuple(options.frame))
    update, prediction = update_of(sizes), prediction_of(sizes)
    if options.roofline:
        print_result(roofline(sizes, update, prediction))
    elif options.device != "cpu" and not torch.cuda.is_available():
        sys.exit("device.py: no GPU is visible to torch; --roofline needs none")
    else:
        device = prepare_device(options.device, torch.get_num_threads())
        print_result(measured(sizes, update, prediction, device, options.repeats))


# Reckoning


@contextlib.contextmanager
def counted_on_meta() -> Iterator[None]:
    """Let the model run on the device meta, which autocast does not know."""
    with mock.patch.object(torch, "autocast", return_value=contextlib.nullcontext()):
        yield


def update_of(sizes: Sizes) -> Work:
    """Return the work of an update: forward and backward pass of each image, norm, clip, AdamW."""
    model = model_of(sizes.preset, "meta")
    images = torch.zeros(1, 3, *sizes.crop, device="meta")
    visible = torch.zeros(1, 1, *sizes.crop, device="meta")
    weights = {parameter.untyped_storage()._cdata for parameter in model.parameters()}
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        if tensor.untyped_storage()._cdata not in weights:
            kept[tensor.untyped_storage()._cdata] = tensor
        return tensor

    with counted_on_meta():
        hooks = torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor)
        forward, backward = FlopCounterMode(display=False), FlopCounterMode(display=False)
        inside = operations_of(model.decoder.pixel_decoder, forward)
        with forward, hooks:
            loss = reconstruction_loss(model.reconstruct(images, visible), images, visible, "all")
        with backward:
            loss.backward()
    per_image = sum(tensor.untyped_storage().nbytes() for tensor in kept.values())
    operations = forward.get_total_flops() + backward.get_total_flops()
    # The backward pass is not told apart by module: its share is taken to be the forward pass's.
    share = inside() / forward.get_total_flops()
    trained = count(model.encoder) + count(model.decoder)
    # Both passes read the weights, at least once.
    weights = (2 + UPDATED) * FLOAT * trained
    total = operations * sizes.batch
    return Work(share * total, (1 - share) * total, weights, per_image * sizes.batch)


def prediction_of(sizes: Sizes) -> Work:
    """Return the work of a prediction."""
    # Without gradients by the model: the counter cannot follow modules under `no_grad`.
    model = model_of(sizes.preset, "meta").requires_grad_(False)
    images = torch.zeros(1, 3, *sizes.frame, device="meta")
    forward = FlopCounterMode(display=False)
    inside = operations_of(model.head.pixel_decoder, forward)
    with counted_on_meta(), forward:
        model.predict_final(images)
    total = forward.get_total_flops()
    share = inside() / total
    weights = FLOAT * (count(model.encoder) + count(model.head))
    return Work(share * total, (1 - share) * total, weights)


def operations_of(module: torch.nn.Module, counter: FlopCounterMode) -> Callable[[], int]:
    """Return a function that returns the operations of the module's calls up to then."""
    marks: list[int] = []
    for register in (module.register_forward_pre_hook, module.register_forward_hook):
        register(lambda *_: marks.append(counter.get_total_flops()))
    return lambda: sum(marks[1::2]) - sum(marks[::2])


def count(module: torch.nn.Module) -> int:
    """Return the number of a module's parameters."""
    return sum(parameter.numel() for parameter in module.parameters())


def roofline(sizes: Sizes, update: Work, prediction: Work) -> dict[str, object]:
    """Return operations, bytes, and the smallest possible seconds on each card."""
    return {
        "benchmark": "device",
        "reckoned": "never measured",
        "sizes": vars(sizes),
        "update": described(update),
        "prediction": described(prediction),
        "smallest_seconds": {
            name: {
                "update": {key: update.seconds(card, *pair) for key, pair in PRECISIONS.items()},
                "prediction": {
                    key: prediction.seconds(card, *pair) for key, pair in PRECISIONS.items()
                },
                "frame": smallest_frame(card, update, prediction),
                "images_at_once": images_at_once(sizes, card, update),
            }
            for name, card in CARDS.items()
        },
    }


def images_at_once(sizes: Sizes, card: Card, update: Work) -> int:
    """Return how many images of an update in float32 a card holds at once, at most."""
    free = card.capacity - update.weights
    return fitting_micro_batch(sizes.batch, int(update.kept / sizes.batch), int(free))


def smallest_frame(card: Card, update: Work, prediction: Work) -> float:
    """Return the smallest seconds of a frame: an update in bfloat16, a prediction in float32."""
    return update.seconds(card, *PRECISIONS["bfloat16"]) + prediction.seconds(
        card, *PRECISIONS["float32"]
    )


def described(work: Work) -> dict[str, float]:
    """Return work in units that are easy to read."""
    return {
        "teraflop": (work.inside + work.outside) / 1e12,
        "teraflop_of_the_pixel_decoder": work.inside / 1e12,
        "gigabytes_of_weights": work.weights / GIGA,
        "gigabytes_kept": work.kept / GIGA,
    }


# Measuring


def measured(
    sizes: Sizes, update: Work, prediction: Work, device: torch.device, repeats: int
) -> dict[str, object]:
    """Return the median seconds of each row, and the smallest possible ones."""
    label = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    card = next((CARDS[name] for name in CARDS if name.split()[0] in label), None)
    rows: dict[str, object] = {}
    for what, work, rows_of in (
        ("update", update, update_rows),
        ("prediction", prediction, prediction_rows),
    ):
        for name, precision, call in rows_of(sizes, device):
            row = timed(call, device, repeats)
            if card is not None:
                row |= {"smallest": work.seconds(card, *PRECISIONS[precision])}
            rows[f"{what}, {name}"] = row
    row = timed(frame_call(sizes, device), device, repeats)
    if card is not None:
        row |= {"smallest": smallest_frame(card, update, prediction)}
    rows["frame, as in a job"] = row
    return {
        "benchmark": "device",
        "measured_on": label,
        "torch": torch.__version__,
        "sizes": vars(sizes),
        "seconds": rows,
    }


def timed(
    prepared: Callable[[], Callable[[], object]], device: torch.device, repeats: int
) -> dict[str, object]:
    """Return the median seconds of a call, and the gigabytes it needed; or why it failed."""
    try:
        call = prepared()
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        for _ in range(3):
            call()
        seconds = []
        for _ in range(repeats):
            wait(device)
            start = time.perf_counter()
            call()
            wait(device)
            seconds.append(time.perf_counter() - start)
    except Exception as error:  # one row less, and the others still count
        return {"failed": str(error).splitlines()[0]}
    finally:
        allow_tf32(False)
        if device.type == "cuda":
            torch.cuda.empty_cache()
    peak = torch.cuda.max_memory_allocated(device) / GIGA if device.type == "cuda" else 0.0
    return {"median": statistics.median(seconds), "peak_gigabytes": peak}


def wait(device: torch.device) -> None:
    """Wait until the device has done everything."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


Row = tuple[str, str, Callable[[], Callable[[], object]]]


def update_rows(sizes: Sizes, device: torch.device) -> Iterator[Row]:
    """Yield name, precision and preparation of each way to take an update."""
    for precision in PRECISIONS:
        yield f"{precision}, eager", precision, lambda p=precision: Update(sizes, device, p)
    yield "bfloat16, compiled", "bfloat16", lambda: Update(sizes, device, "bfloat16", True)
    if device.type == "cuda":
        yield "bfloat16, CUDA graph", "bfloat16", lambda: graphed(Update(sizes, device, "bfloat16"))


def prediction_rows(sizes: Sizes, device: torch.device) -> Iterator[Row]:
    """Yield name, precision and preparation of each way to predict a frame, without decoding it."""
    for precision in PRECISIONS:
        yield f"{precision}, eager", precision, lambda p=precision: Prediction(sizes, device, p)
    yield "float32, compiled", "float32", lambda: Prediction(sizes, device, "float32", True)
    if device.type == "cuda":
        yield (
            "float32, CUDA graph",
            "float32",
            lambda: graphed(Prediction(sizes, device, "float32")),
        )


class Update:
    """An update of the job's own parts, on one batch that stays on the device.

    Nothing in it waits for the device, and shapes and places of all tensors are fixed, so a CUDA
    graph can record it; the draws of the masks are outside.
    """

    def __init__(
        self, sizes: Sizes, device: torch.device, precision: str, compiled: bool = False
    ) -> None:
        allow_tf32(precision != "float32")
        self._device, self._dtype = device, DTYPES.get(precision, torch.float32)
        model = model_of(sizes.preset, device)
        self._parameters = [p for p in model.parameters() if p.requires_grad]
        self._optimizer = optimizer_for(model, OptimizerSettings())
        self._reconstruct = torch.compile(model.reconstruct) if compiled else model.reconstruct
        self._images = random_bytes((sizes.batch, *sizes.crop, 3)).to(device)
        patch = preset_named(sizes.preset).mask_patch
        self._visible = random_visible(sizes.batch, sizes.crop, patch, 0.8, generator("masks")).to(
            device
        )
        self._at_once = sizes.batch
        if device.type == "cuda":
            self._at_once = 1
            before = torch.cuda.memory_allocated(device)
            torch.cuda.reset_peak_memory_stats(device)
            self._add_gradients(slice(0, 1))
            one = torch.cuda.max_memory_allocated(device) - before
            self._at_once = fitting_micro_batch(sizes.batch, one, free_memory(device))
            self._optimizer.zero_grad()

    def __call__(self) -> Tensor:
        """Take the update; return loss and norm on the device."""
        batch = len(self._images)
        starts = range(0, batch, self._at_once)
        losses = [self._add_gradients(slice(start, start + self._at_once)) for start in starts]
        norm = gradient_norm(self._parameters)
        measured = torch.stack([torch.stack(losses).sum(), norm])
        clip_gradients(self._parameters, norm, 0.01)
        self._optimizer.step(skip=(~measured.isfinite().all()).float())
        self._optimizer.zero_grad()
        return measured

    def _add_gradients(self, part: slice) -> Tensor:
        images = to_input(self._images[part], self._device)
        visible = self._visible[part]
        mixed = self._dtype != torch.float32
        with torch.autocast(self._device.type, self._dtype, enabled=mixed, cache_enabled=False):
            pixels = self._reconstruct(images, visible)
            loss = reconstruction_loss(pixels, images, visible, "masked")
        loss = loss * (len(images) / len(self._images))
        loss.backward()
        return loss.detach().float()


class Prediction:
    """The forward pass of a prediction, on a frame that stays on the device."""

    def __init__(
        self, sizes: Sizes, device: torch.device, precision: str, compiled: bool = False
    ) -> None:
        allow_tf32(precision != "float32")
        self._device, self._dtype = device, DTYPES.get(precision, torch.float32)
        model = model_of(sizes.preset, device)
        self._predict = torch.compile(model.predict_final) if compiled else model.predict_final
        self._images = to_input(random_bytes((1, *sizes.frame, 3)), device)

    @torch.no_grad()
    def __call__(self) -> object:
        """Predict."""
        mixed = self._dtype != torch.float32
        with torch.autocast(self._device.type, self._dtype, enabled=mixed, cache_enabled=False):
            return self._predict(self._images)


def graphed(call: Callable[[], object]) -> Callable[[], object]:
    """Record a call as a CUDA graph, and return the function that replays it."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            call()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        call()
    return graph.replay


def frame_call(sizes: Sizes, device: torch.device) -> Callable[[], Callable[[], object]]:
    """Return what prepares a whole frame of the stream: crops, update, prediction and decoding."""

    def prepared() -> Callable[[], object]:
        method = Method(
            objective="mae", batch=sizes.batch, crop=sizes.crop,
            shortest_edge=min(sizes.frame), longest_edge=max(sizes.frame),
        )  # fmt: skip
        task = task_named("semantic", ClassSpace(tuple(f"class {i}" for i in range(CLASSES))))
        key = JobKey("benchmark", "semantic", "online_ttt_mae", 0, "benchmark")
        stream = Stream(model_of(sizes.preset, device), task, method, key)
        frame = random_bytes((*sizes.frame, 3)).numpy()
        return lambda: stream.step(frame)

    return prepared


def model_of(preset: str, device: str | torch.device) -> YShapedModel:
    """Return an untrained model whose encoder and decoder learn, as in TTT-MAE."""
    model = YShapedModel(preset_named(preset), CLASSES).eval().to(device)
    model.head.requires_grad_(False)
    return model


def random_bytes(shape: tuple[int, ...]) -> Tensor:
    """Return random bytes, uint8."""
    draws = np.random.default_rng(0)
    return torch.from_numpy(draws.integers(0, 256, shape, dtype=np.uint8))


if __name__ == "__main__":
    main()
