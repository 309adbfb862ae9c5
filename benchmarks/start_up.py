"""How long help takes, the imports of each verb, and the first frame of a tiny job.

    python benchmarks/start_up.py [--runs 5] [--verbs predict score] [--against REV]

Each is a process of its own, started once before it counts, so that files are in memory. The job is
`videottt predict` on a video of one frame of 96x128 pixels, with an untrained model of the preset
`tiny`: from the command to the file of predictions. With --against, an earlier revision of the
project takes turns with this one.
"""

import argparse
import ast
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from measuring import print_result
from revisions import NOW, PROCESSOR, ROOT, Taken, compared, taken, trees
from videottt.cli import VERBS, module_of
from videottt.core.segments import ClassSpace
from videottt.data.synthetic import render_video
from videottt.models.checkpoint import save_checkpoint
from videottt.models.y_shaped import YShapedModel
from videottt.settings.dataset import Phase
from videottt.settings.presets import preset_named
from videottt.store.frames import write_frames
from videottt.store.source_frame import SourceFrame
from videottt.study.config import method_of
from videottt.study.job_settings import method_settings
from videottt.study.layers import complete

METHOD = "online_ttt_mae"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--verbs", nargs="*", choices=VERBS, default=VERBS, metavar="VERB")
    parser.add_argument("--against", metavar="REVISION", help="an earlier revision, for git")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, trees(options.against) as compiled:
        folder = Path(name)
        job = tiny_job(folder)

        def measured(commands: Mapping[str, Sequence[str]]) -> dict[str, dict[str, float]]:
            return compared(by_turns(commands, compiled, folder, options.runs))

        first_frame = measured({tree: ["-m", "videottt", *job] for tree in compiled})
        torch = measured({tree: ["-c", "import torch"] for tree in compiled})
        print_result(
            {
                "benchmark": "start_up",
                "runs": options.runs,
                "help": measured({tree: ["-m", "videottt", "--help"] for tree in compiled}),
                "first_frame": first_frame,
                # What no job with a model can do without.
                "torch": torch,
                "over_torch_ratio": first_frame[NOW][PROCESSOR] / torch[NOW][PROCESSOR],
                "imports": {
                    verb: measured({n: ["-c", imports(verb, t)] for n, t in compiled.items()})
                    for verb in options.verbs
                },
            }
        )


def by_turns(
    commands: Mapping[str, Sequence[str]], compiled: Mapping[str, Path], folder: Path, runs: int
) -> dict[str, list[Taken]]:
    """Return what each run of the command of each tree took, but the first of each."""
    found: dict[str, list[Taken]] = {tree: [] for tree in compiled}
    for number in range(runs + 1):
        for tree, path in compiled.items():
            one = taken(commands[tree], path, folder)
            found[tree] += [one] if number else []
            # Otherwise the next finds its result made.
            (folder / "predictions.h5").unlink(missing_ok=True)
    return found


def imports(verb: str, tree: Path = ROOT) -> str:
    """Return all imports of a verb's module, also those inside functions, as a program."""
    file = (tree / "src").joinpath(*module_of(verb).split(".")).with_suffix(".py")
    nodes = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
    return "\n".join(
        ast.unparse(node) for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)
    )


def tiny_job(folder: Path) -> list[str]:
    """Write a video of one frame and a checkpoint; return the command that predicts it."""
    config = complete({}).config
    classes = config["datasets"]["synthetic"]["classes"]
    frames = render_video("benchmark", [Phase("avenue", "day")], 1, (96, 128), 0)
    write_frames(
        folder / "frames.h5",
        (SourceFrame(f"{i:06d}", f.image, f.semantic) for i, f in enumerate(frames)),
        dataset="synthetic",
        video="benchmark",
        fps=10,
        classes=classes,
        provenance={},
    )
    save_checkpoint(
        folder / "tiny.safetensors",
        YShapedModel(preset_named("tiny"), len(classes)),
        classes,
        ClassSpace(tuple(classes)),
        decoder=True,
        provenance={},
    )
    settings = method_settings(config, "synthetic", method_of(config, METHOD))
    return [
        *("predict", "--frames", "frames.h5", "--checkpoint", "tiny.safetensors"),
        *("--task", "semantic", "--method", METHOD, "--settings", json.dumps(settings)),
        *("--seed", "0", "--device", "cpu", "--output", "predictions.h5"),
    ]


if __name__ == "__main__":
    main()
