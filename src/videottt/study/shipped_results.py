"""Keep what the pages show of a study's results: numbers, figures, and how they were made.

``docs/results/<study>/`` holds

* ``metrics.csv``: every number that a table is made of, as `aggregate` wrote it;
* ``diagnosis.csv``, ``omissions.csv``, ``theory_<dataset>_<task>.csv``: as the workflow wrote them,
  where a page shows them;
* ``selection.json``: what the study selected for each method, where it selects;
* ``figures/``: pictures under their path below ``results/figures/``, made smaller;
* ``made.json``: commits, date, seeds, devices and versions, as the results recorded them, and the
  SHA-256 of every file.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image

from videottt.core.errors import InputError, absent
from videottt.core.files import complete_file, sha256, write_csv, write_text
from videottt.core.provenance import NOTED
from videottt.evaluation.scores import FORMAT as SCORES
from videottt.evaluation.scores import VERSION as SCORES_VERSION
from videottt.report.tables.reading import read_metrics
from videottt.store.hdf5 import attributes_of, read_checked
from videottt.study.config import Config, streams_of

METRICS = "metrics.csv"
MADE = "made.json"
SELECTION = "selection.json"
FIGURES = "figures"
# Pixels; a page is no wider.
WIDTH = 1400
COLOURS = 256
# Of one video alone, tables show only the iteration that an offline method was scored at.
ITERATION = "iteration"
# metric:class, which only classes.csv has.
OF_CLASS = ":"


def ship(
    study_id: str, study: Config, results: Path, folder: Path, names: Iterable[str]
) -> list[Path]:
    """Copy what pages show of a study's results; remove what they no longer show.

    Args:
        study_id: its id.
        study: its entry in the configuration.
        results: folder that the workflow wrote.
        folder: to copy to.
        names: of blocks of pages: ``<table>`` or ``figures/<path>``.

    Returns:
        the files of `folder`.

    Raises:
        InputError: a file of the results is absent or has another format.
    """
    source = results / "metrics" / f"{study_id}.csv"
    metrics = read_metrics(source)
    write_csv(folder / METRICS, _shown(metrics))
    files = {METRICS}
    for name in dict.fromkeys(names):
        if name.startswith(f"{FIGURES}/"):
            _copy_figure(results / name, folder / name)
            files.add(name)
        elif is_kept_as_csv(name):
            write_text(folder / f"{name}.csv", _text(results / "tables" / study_id / f"{name}.csv"))
            files.add(f"{name}.csv")
    if study.get("selection"):
        write_text(folder / SELECTION, json.dumps(_selected(study, results), indent=1) + "\n")
        files.add(SELECTION)
    made: dict[str, Any] = {"study": study_id, "made": _time_of(source)}
    made |= {"seeds": sorted(map(int, metrics.seed.unique()))}
    made |= _recorded(_provenances(metrics, results))
    made["hours_of_jobs"] = _hours(results / "benchmarks", {study_id, *_datasets(study)})
    made["files"] = {name: sha256(folder / name) for name in sorted(files)}
    write_text(folder / MADE, json.dumps(made, indent=1) + "\n")
    kept = {folder / name for name in (*files, MADE)}
    for path in folder.rglob("*"):
        if path.is_file() and path not in kept:
            path.unlink()
    return sorted(kept)


def is_kept_as_csv(table: str) -> bool:
    """Return whether a table is kept itself, as it is not made of metrics."""
    return table in ("diagnosis", "omissions") or table.startswith("theory_")


def read_made(folder: Path) -> dict[str, Any]:
    """Return how shipped results were made.

    Raises:
        InputError: a file is absent, or is not the one that was shipped.
    """
    made: dict[str, Any] = json.loads(_text(folder / MADE))
    for name, digest in made["files"].items():
        if sha256(folder / name) != digest:
            raise InputError(
                f"{folder / name}: has been changed by hand; ship it again with 'make results'"
            )
    return made


def made_line(made: Mapping[str, Any]) -> str:
    """Return how results were made, as one line."""
    commits = " and ".join(f"`{commit[:10]}`" for commit in made["commits"])
    source = f"from commit {commits}" if commits else "from a commit that was not recorded"
    changed = ", with changes that are in no commit" if made["dirty"] else ""
    seeds, hours = len(made["seeds"]), made["hours_of_jobs"]
    facts = [f"{seeds} seed{'s' * (seeds > 1)}", *made["devices"]]
    facts += [] if hours is None else [f"{hours:.1f} hours of jobs"]
    day = made["made"][:10]
    return f"*`{made['study']}`, made on {day} {source}{changed} ({', '.join(facts)}).*"


def _selected(study: Config, results: Path) -> dict[str, Any]:
    """Return data set/task/method -> what was selected, its score, and settings at an edge."""
    selected = {}
    for dataset, task in streams_of(study):
        for method in study["selection"]["grids"]:
            path = results / "selection" / dataset / task / f"{method}.json"
            if path.is_file():
                entry = json.loads(_text(path))
                kept = ("metric", "value", "selected", "iteration", "at_edge", "trials")
                selected[f"{dataset}/{task}/{method}"] = {name: entry[name] for name in kept}
    return selected


def _shown(metrics: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that tables are made of: without those of single videos and classes."""
    of_videos = (metrics.aggregation == "video") & (metrics.metric != ITERATION)
    return metrics[~of_videos & ~metrics.metric.str.contains(OF_CLASS, regex=False)]


def _text(path: Path) -> str:
    if not path.is_file():
        raise absent(path)
    return path.read_text(encoding="utf-8")


def _copy_figure(source: Path, target: Path) -> None:
    """Write a picture in as many pixels and colours as a page needs."""
    if not source.is_file():
        raise absent(source)
    with Image.open(source) as opened:
        picture = opened.convert("RGB")
    if picture.width > WIDTH:
        picture = picture.resize((WIDTH, round(picture.height * WIDTH / picture.width)))
    with complete_file(target) as part:
        picture.quantize(COLOURS).save(part, format="PNG", optimize=True)


def _time_of(path: Path) -> str:
    """Return when a file was written, in UTC: provenance has no times, so as to stay equal."""
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(timespec="seconds")


def _provenances(metrics: pd.DataFrame, results: Path) -> Iterator[dict[str, Any]]:
    """Yield the provenance of every file of scores that metrics were aggregated from."""
    of_videos = metrics[metrics.aggregation == "video"]
    ids = of_videos[["dataset", "task", "method", "seed", "video"]].drop_duplicates()
    for dataset, task, method, seed, video in ids.itertuples(index=False, name=None):
        path = results / "scores" / dataset / task / method / f"seed{seed}" / f"{video}.h5"
        if not path.is_file():
            raise absent(path)
        with read_checked(path, SCORES, SCORES_VERSION) as file:
            yield json.loads(attributes_of(file)["provenance"])


def _recorded(provenances: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what results recorded of their making, each value once.

    Returns:
        commits: of the source text; dirty: whether any had changes, None if none says so; devices,
        python, packages: of the predictions and of the scores.
    """
    found: dict[str, list[Any]] = {}
    for provenance in provenances:
        for name, value in _facts(provenance):
            if value is not None and value not in found.setdefault(name, []):
                found[name].append(value)
    commit, dirty = NOTED
    return {
        "commits": found.get(commit, []),
        "dirty": any(found[dirty]) if found.get(dirty) else None,
        "devices": found.get("device", []),
        "python": found.get("python", []),
        "packages": found.get("packages", []),
    }


def _facts(provenance: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield each fact of a provenance, and of the one of the predictions inside of it."""
    for name, value in provenance.items():
        if name == "predictions":
            yield from _facts(value)
        else:
            yield name, value


def _datasets(study: Config) -> Sequence[str]:
    """Return the data sets that a study's jobs work on."""
    return [dataset for dataset, _ in streams_of(study)] + [study["training"]["dataset"]]


def _hours(benchmarks: Path, names: set[str]) -> float | None:
    """Return the sum of the times of all jobs with one of some names in their path."""
    seconds = [
        float(pd.read_csv(path, sep="\t").s.iloc[0])
        for path in benchmarks.rglob("*.tsv")
        if names & {*path.relative_to(benchmarks).with_suffix("").parts}
    ]
    return round(sum(seconds) / 3600, 2) if seconds else None
