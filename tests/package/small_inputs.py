"""Write clip.mp4 and joint.safetensors here; needs the base install alone.

The checkpoint has random weights: it shows that the package runs, not what it is good for.
"""

import subprocess
from pathlib import Path

import imageio_ffmpeg

from videottt.core.segments import ClassSpace
from videottt.data.layouts.kitti_step import CITYSCAPES
from videottt.models.checkpoint import save_checkpoint
from videottt.models.y_shaped import YShapedModel
from videottt.settings.presets import PRESETS


def write_inputs(folder: Path) -> None:
    """Write a second of video, and a joint checkpoint for semantic segmentation."""
    source = ["-f", "lavfi", "-i", "testsrc2=size=96x64:rate=4:duration=1"]
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", *source]
    subprocess.run([*command, "-pix_fmt", "yuv420p", folder / "clip.mp4"], check=True)
    space = ClassSpace(CITYSCAPES, ("person", "car"))
    model = YShapedModel(PRESETS["tiny"], len(CITYSCAPES), seed=0)
    made = {"model": "tiny", "task": "semantic"}
    save_checkpoint(
        folder / "joint.safetensors", model, list(CITYSCAPES), space, decoder=True, provenance=made
    )


if __name__ == "__main__":
    write_inputs(Path())
