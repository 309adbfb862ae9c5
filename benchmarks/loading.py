"""How many augmented images a second one core loads for joint training.

    python benchmarks/loading.py [--size 1024 2048] [--crop 512 1024] [--images 24] [--rounds 3]

Writes a made-up frame store of stills, whose pixels compress about as well as those of photographs,
and reads it as `videottt train` does: unpack, scale, crop, flip, recolour. A ratio is the time of
an image divided by that of unpacking it alone.
"""

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from measuring import alternated, print_result
from videottt.data.synthetic import render_stills
from videottt.settings.augmentation import Augmentation
from videottt.store.frames import FrameStore, write_frames
from videottt.store.source_frame import SourceFrame
from videottt.training.stills import StillImages

# Deviation of the noise, in grey levels, with which pixels need 5 bits each.
NOISE = 4.0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", nargs=2, type=int, default=(1024, 2048))
    parser.add_argument("--crop", nargs=2, type=int, default=(512, 1024))
    parser.add_argument("--images", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    height, width = options.size
    crop = tuple(options.crop)
    recipes = {
        "semantic segmentation": Augmentation(min(height, width), max(height, width), crop),
        "large-scale jitter": Augmentation(
            1, 1, crop, scales=(0.1, 2.0), colour=0.0, scale_to="crop", padding=128
        ),
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "stills.h5"
        classes = [str(index) for index in range(19)]
        ids = {"dataset": "made_up", "video": "stills", "fps": 1, "provenance": {}}
        frames = made_up((height, width), 4)
        write_frames(path, frames, classes=classes, things=classes[11:], **ids)
        megabytes = path.stat().st_size / 4e6
        print(f"{width}x{height}, {megabytes:.1f} MB an image in the store")
        with FrameStore(path) as store:
            works = {"unpacking": lambda: unpack(store, options.images)} | {
                name: lambda recipe=recipe: load(store, recipe, options.images)
                for name, recipe in recipes.items()
            }
            seconds = alternated(works, options.rounds)
    rates = {name: options.images / each for name, each in seconds.items()}
    ratios = {name: seconds[name] / seconds["unpacking"] for name in recipes}
    for name, rate in rates.items():
        print(f"{name}: {rate:.1f} images/s")
    print_result(
        {
            "benchmark": "loading", "size": [height, width], "megabytes_per_image": megabytes,
            "images_per_second": rates, "ratio": ratios,
        }
    )  # fmt: skip


def made_up(size: tuple[int, int], count: int) -> Iterator[SourceFrame]:
    """Yield rendered stills, enlarged, with noise."""
    for index, still in enumerate(render_stills(count, (128, 256), seed=0)):
        draws = np.random.default_rng(index)
        layers = [
            np.asarray(Image.fromarray(layer).resize(size[::-1], Image.Resampling.NEAREST))
            for layer in (still.image, still.semantic, still.instance.astype(np.int32))
        ]
        noisy = layers[0] + draws.normal(0, NOISE, layers[0].shape)
        image = noisy.clip(0, 255).astype(np.uint8)
        yield SourceFrame(f"{index:06d}", image, layers[1], layers[2].astype(np.uint16))


def load(store: FrameStore, recipe: Augmentation, images: int) -> None:
    """Load training samples."""
    stills = StillImages([store], recipe, ("joint", 0), images)
    for index in range(images):
        stills[index]


def unpack(store: FrameStore, images: int) -> None:
    """Read images with their labels, and do nothing with them."""
    for index in range(images):
        place = index % len(store)
        store.frame(place), store.semantic(place), store.instance(place)


if __name__ == "__main__":
    main()
