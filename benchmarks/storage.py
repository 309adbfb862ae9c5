"""What the frame store and the prediction cache cost beside folders of PNG files.

    python benchmarks/storage.py [--size 96 128 --size 375 1242] [--frames 24] [--rounds 3]

Writes frames with labels, and predictions of each form, into a file of this package and into a
folder of PNG files by Pillow, and reads them in order and at random. Images are rendered, with
noise with which they compress about as well as photographs. Ratios are seconds or bytes of the
file, divided by those of the folder: below 1, the file is better.
"""

import argparse
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from loading import made_up
from measuring import alternated, print_result
from videottt.core.frame_result import PHASES, FrameResult
from videottt.core.ids import JobKey
from videottt.core.segments import ClassSpace, Panoptic, Prediction, instances_of, panoptic_from
from videottt.store.frames import FrameStore, write_frames
from videottt.store.predictions import PredictionReader, write_predictions
from videottt.store.source_frame import SourceFrame

CLASSES = tuple(str(index) for index in range(19))
SPACE = ClassSpace(CLASSES, CLASSES[11:])
KEY = JobKey("made_up", "semantic", "benchmark", 0, "stills")
SIZES = ((96, 128), (375, 1242))


@dataclass(frozen=True)
class Storage:
    """One way to keep frames or predictions.

    Attributes:
        write: writes all of them.
        read: reads those of some indices, in the order given.
        path: the file or the folder.
    """

    write: Callable[[], None]
    read: Callable[[Sequence[int]], None]
    path: Path

    def bytes(self) -> int:
        """Return the size of what was written."""
        files = self.path.iterdir() if self.path.is_dir() else [self.path]
        return sum(file.stat().st_size for file in files)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", nargs=2, type=int, action="append")
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    result = {}
    for size in options.size or SIZES:
        frames = list(made_up(tuple(size), options.frames))
        with tempfile.TemporaryDirectory() as folder:
            for name, (ours, folder_of_png) in kinds(frames, Path(folder)).items():
                key = f"{name} {size[0]}x{size[1]}"
                result[key] = compared(key, ours, folder_of_png, len(frames), options.rounds)
    print_result({"benchmark": "storage", "frames": options.frames, "results": result})


def kinds(frames: list[SourceFrame], folder: Path) -> dict[str, tuple[Storage, Storage]]:
    """Return what is kept: its name -> in a file of this package, and as PNG files."""
    panoptic = [panoptic_from(f.semantic, f.instance, SPACE) for f in frames]
    predictions: dict[str, Sequence[Prediction]] = {
        "classes": [frame.semantic for frame in frames],
        "images": [frame.image for frame in frames],
        "panoptic": panoptic,
        "instances": [instances_of(each, SPACE) for each in panoptic],
    }
    labelled = [{"image": f.image, "semantic": f.semantic, "instance": f.instance} for f in frames]
    stored = frame_store(folder / "frames.h5", frames)
    result = {"frames and labels": (stored, png_folder(folder / "frames", labelled))}
    for kind, each in predictions.items():
        ours = prediction_cache(folder / f"{kind}.h5", kind, each)
        pictures = [pictures_of(prediction) for prediction in each]
        result[f"predictions: {kind}"] = ours, png_folder(folder / kind, pictures)
    return result


def pictures_of(prediction: Prediction) -> dict[str, np.ndarray]:
    """Return a prediction as pictures: a map, or one mask an object."""
    if isinstance(prediction, np.ndarray):
        return {"map": prediction}
    if isinstance(prediction, Panoptic):
        return {"ids": prediction.ids}
    return {str(number): mask for number, mask in enumerate(prediction.pixels())}


def frame_store(path: Path, frames: list[SourceFrame]) -> Storage:
    """Return a frame store of these frames."""

    def write() -> None:
        ids = {"dataset": "made_up", "video": "stills", "fps": 1, "provenance": {}}
        write_frames(path, frames, classes=CLASSES, things=SPACE.things, **ids)

    def read(indices: Sequence[int]) -> None:
        with FrameStore(path) as store:
            for index in indices:
                store.frame(index), store.semantic(index), store.instance(index)

    return Storage(write, read, path)


def prediction_cache(path: Path, kind: str, predictions: Sequence[Prediction]) -> Storage:
    """Return a cache of these predictions."""
    first = predictions[0]
    if isinstance(first, np.ndarray):
        size = first.shape[:2]
    else:
        size = first.ids.shape if isinstance(first, Panoptic) else first.size

    def write() -> None:
        with write_predictions(
            path, KEY, kind=kind, frames=len(predictions), size=size, classes=CLASSES,
            settings={}, provenance={},
        ) as writer:  # fmt: skip
            for result in results(predictions):
                writer.add(result)

    def read(indices: Sequence[int]) -> None:
        with PredictionReader(path) as reader:
            for index in indices:
                reader.prediction(index)

    return Storage(write, read, path)


def results(predictions: Sequence[Prediction]) -> Iterator[FrameResult]:
    """Yield predictions as the stream does."""
    for index, prediction in enumerate(predictions):
        yield FrameResult(
            index=index, prediction=prediction, loss=0.0, gradient_norm=0.0, skipped_steps=0,
            resets=0, wall_time=dict.fromkeys(PHASES, 0.0),
        )  # fmt: skip


def png_folder(path: Path, frames: Sequence[dict[str, np.ndarray]]) -> Storage:
    """Return a folder with a PNG file of each picture of each frame, by Pillow's defaults."""

    def write() -> None:
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir()
        for index, pictures in enumerate(frames):
            for name, pixels in pictures.items():
                Image.fromarray(pixels).save(path / f"{index:06d}_{name}.png")

    def read(indices: Sequence[int]) -> None:
        for index in indices:
            for name in frames[index]:
                with Image.open(path / f"{index:06d}_{name}.png") as picture:
                    np.array(picture)

    return Storage(write, read, path)


def compared(
    name: str, ours: Storage, png: Storage, frames: int, rounds: int
) -> dict[str, dict[str, float]]:
    """Measure both ways; return and print each measure, and its ratio to that of the folder."""
    order = list(range(frames))
    shuffled = random.Random(0).sample(order, frames)
    works = {
        "write": [ours.write, png.write],
        "read": [lambda: ours.read(order), lambda: png.read(order)],
        "random": [lambda: ours.read(shuffled), lambda: png.read(shuffled)],
    }
    found = {}
    print(f"{name}, a frame:")
    for work, (first, second) in works.items():
        seconds = alternated({"file": first, "png": second}, rounds)
        values = {f"{way}_ms": 1e3 * each / frames for way, each in seconds.items()}
        found[work] = values | {"ratio": seconds["file"] / seconds["png"]}
        print(
            f"  {work:>6} {values['file_ms']:9.3f} ms, PNG {values['png_ms']:9.3f} ms, "
            f"ratio {found[work]['ratio']:.2f}"
        )
    sizes = {"file": ours.bytes() / frames, "png": png.bytes() / frames}
    found["bytes"] = sizes | {"ratio": sizes["file"] / sizes["png"]}
    print(
        f"   bytes {sizes['file']:9,.0f},    PNG {sizes['png']:9,.0f},    "
        f"ratio {found['bytes']['ratio']:.2f}"
    )
    return found


if __name__ == "__main__":
    main()
