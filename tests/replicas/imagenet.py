"""ImageNet as published: a tar of a tar for each class; a few images are grey or of four inks."""

from pathlib import Path

from PIL import Image

from replicas import scenes
from replicas.archives import jpeg, tar_of, write_tar

CLASSES = {"n01440764": (64, 80), "n02119789": (80, 64), "n04335435": (60, 80)}
IMAGES = 3
MODES = ("RGB", "L", "CMYK")


def write_train(path: Path, seed: int) -> None:
    """Write the images of the training split."""
    members = []
    for wordnet, size in CLASSES.items():
        frames = scenes.stills(IMAGES, size, seed, "imagenet", wordnet)
        pictures = [
            Image.fromarray(frame.image).convert(mode)
            for frame, mode in zip(frames, MODES, strict=True)
        ]
        images = [
            (f"{wordnet}_{10026 + number}.JPEG", jpeg(picture))
            for number, picture in enumerate(pictures)
        ]
        members.append((f"{wordnet}.tar", tar_of(images)))
    write_tar(path, members)
