"""KITTI-STEP as published: KITTI's tracking images, and the panoptic maps of its sequences.

The layout is that of KITTI's data_tracking_image_2.zip and of deeplab2's kitti-step.tar.gz. Sizes
are a sixth of the sequences' own.
"""

from pathlib import Path

import numpy as np

from replicas import scenes
from replicas.archives import Member, png, with_folders, write_tar, write_zip
from videottt.data.synthetic import RenderedFrame

FRAMES = 8  # as many labelled in a row as the theory needs
# Split -> sequence -> (height, width).
SEQUENCES = {
    "train": {"0003": (63, 207), "0012": (63, 207)},
    "val": {"0014": (62, 204), "0016": (62, 204)},
}
VOID = 255


def write_images(path: Path, seed: int) -> None:
    """Write the images; those of KITTI's own test sequences are in the archive too."""
    members: list[Member] = []
    for sequences in SEQUENCES.values():
        for video, size in sequences.items():
            for number, frame in enumerate(frames_of(video, size, seed)):
                members.append((f"training/image_02/{video}/{number:06d}.png", png(frame.image)))
    for number, frame in enumerate(scenes.stills(2, (63, 207), seed, "testing")):
        members.append((f"testing/image_02/0000/{number:06d}.png", png(frame.image)))
    write_zip(path, with_folders(members))


def write_labels(path: Path, seed: int) -> None:
    """Write the panoptic maps: R = train id, 255 = void; instance = 256 G + B, 0 = none."""
    members: list[Member] = []
    for split, sequences in SEQUENCES.items():
        for video, size in sequences.items():
            for number, frame in enumerate(frames_of(video, size, seed)):
                # Numbers of two bytes, as in the sequences with many objects.
                instance = frame.instance.astype(np.uint32) * 67
                planes = [frame.semantic.copy(), instance >> 8, instance & 255]
                for plane, nothing in zip(planes, (VOID, 0, 0), strict=True):
                    plane[-3:] = nothing  # the bonnet
                name = f"kitti-step/panoptic_maps/{split}/{video}/{number:06d}.png"
                members.append((name, png(np.stack(planes, axis=-1).astype(np.uint8))))
    members.append(("kitti-step/README", b"STEP annotations\n"))
    write_tar(path, with_folders(members))


def frames_of(video: str, size: tuple[int, int], seed: int) -> list[RenderedFrame]:
    return scenes.video(FRAMES, size, seed, "kitti_step", video)
