"""How long Snakemake takes to work out the jobs of a study, and how that grows with its videos.

    python benchmarks/workflow_graph.py [--videos 100 1000 10000] [--study paper] [--against REV]

The graph of jobs, as `snakemake --rulegraph` builds it, and `snakemake -n -q rules`, which formats
the command of each job too: of each study, and of one with so many rendered videos up to the
metrics, six jobs a video. Each is a process of its own; nothing is run, and no data are needed.
With --against, an earlier revision of the project takes turns with this one. Ten thousand videos
take minutes and gigabytes.
"""

import argparse
import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from measuring import print_result
from revisions import NOW, PROCESSOR, Taken, compared, taken, trees

STUDY = "many"
A_JOB = "milliseconds_a_job"
METHODS = ["main_task_only", "online_ttt_mae"]
GRAPH, DRY_RUN = ["--rulegraph"], ["-n", "-q", "rules"]
_TOTAL = re.compile(r"^total\s+(\d+)", re.MULTILINE)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--videos", nargs="*", type=int, default=(100, 1000, 10000))
    parser.add_argument("--study", nargs="*", default=("paper",))
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--against", metavar="REVISION", help="an earlier revision, for git")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, trees(options.against) as compiled:
        folder = Path(name)

        def of(arguments: Sequence[str]) -> dict[str, Any]:
            return graph(arguments, compiled, folder, options.runs)

        studies = {study: of(["--config", f"study={study}"]) for study in options.study}
        videos = {
            number: of([target(), "--configfile", str(many(number, folder))])
            for number in options.videos
        }
        result = {
            "benchmark": "workflow_graph",
            "runs": options.runs,
            "studies": studies,
            "videos": videos,
        }
        if len(videos) > 1:
            # Of the time of a job, from the fewest videos to the most: 1 where the time is linear.
            fewest, most = (videos[of_all(videos)][A_JOB] for of_all in (min, max))
            result["growth_ratio"] = most / fewest
        print_result(result)


def target() -> str:
    """Return the file whose jobs are worked out, for a study of many videos."""
    return f"results/metrics/{STUDY}.csv"


def graph(
    arguments: Sequence[str], compiled: Mapping[str, Path], folder: Path, runs: int
) -> dict[str, Any]:
    """Return the number of jobs, and what their graph and a dry run of them take."""
    built: dict[str, list[Taken]] = {tree: [] for tree in compiled}
    printed: dict[str, list[Taken]] = {tree: [] for tree in compiled}
    for _ in range(runs):
        for tree, path in compiled.items():
            snakefile = ["--snakefile", str(path / "workflow/Snakefile")]
            asked = [*snakefile, "--directory", str(folder), *arguments]
            for runs_of, mode in ((built, GRAPH), (printed, DRY_RUN)):
                runs_of[tree].append(taken(["-m", "snakemake", *mode, *asked], path, folder))
    last = printed[NOW][-1]
    said = _TOTAL.search(last.output)
    if said is None:
        raise RuntimeError(f"no number of jobs in: {last.output}")
    jobs, graphs = int(said[1]), compared(built)
    return {
        "jobs": jobs,
        A_JOB: 1000 * graphs[NOW][PROCESSOR] / jobs,
        "peak_megabytes": built[NOW][-1].peak,
        "graph": graphs,
        "dry_run": compared(printed),
    }


def many(videos: int, folder: Path) -> Path:
    """Write the settings of a study of so many rendered videos; return their file."""
    ids = [f"video_{number}" for number in range(videos)]
    rendered = {"frames": 9, "phases": [{"place": "avenue", "light": "day"}]}
    config = {
        "study": STUDY,
        "datasets": {
            "synthetic": {
                "splits": {"test": ids},
                "render": {"videos": dict.fromkeys(ids, rendered)},
            }
        },
        "studies": {
            STUDY: {
                "extends": "demo_full",
                "splits": ["test"],
                "seeds": [0],
                "methods": METHODS,
                "sweeps": None,
            }
        },
    }
    file = folder / f"{videos}.yaml"
    # JSON is YAML, and read faster.
    file.write_text(json.dumps(config), encoding="utf-8")
    return file


if __name__ == "__main__":
    main()
