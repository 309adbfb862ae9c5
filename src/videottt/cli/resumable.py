"""What the verbs share that write predictions frame by frame and may be killed at any moment."""

import argparse
import contextlib
import dataclasses
import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from videottt.core.errors import InputError

if TYPE_CHECKING:
    from videottt.core.ids import JobKey
    from videottt.store.frames import FrameStore
    from videottt.store.journal import Journal
    from videottt.store.predictions import PredictionWriter

logger = logging.getLogger(__name__)


def add_saving(verb: argparse.ArgumentParser) -> None:
    """Add where and how often the state of a job is saved."""
    verb.add_argument(
        "--state", type=Path, help="folder for the state to resume from; without it none is kept"
    )
    verb.add_argument("--save-every", type=float, default=60.0, help="seconds between two states")


@contextlib.contextmanager
def claimed(options: argparse.Namespace) -> Iterator[bool]:
    """Be the only process that makes `options.output`; yield whether another had to be waited for.

    Without a folder for states, nobody else is known of.
    """
    if options.state is None:
        yield False
        return
    from videottt.runtime.claims import sole_writer

    with sole_writer(options.state, options.output) as waited:
        yield waited


@dataclass(frozen=True)
class PredictionJob:
    """One file of predictions to be made.

    Attributes:
        key: the ids of the job.
        kind: of the predictions, one of `layers.LAYERS`.
        settings: of the method.
        provenance: everything else that decides the numbers.
    """

    key: "JobKey"
    kind: str
    settings: dict[str, Any]
    provenance: dict[str, Any]

    def is_made(self, path: Path) -> bool:
        """Return whether a file is what this job would make."""
        from videottt.store.predictions import PredictionReader

        try:
            with PredictionReader(path) as made:
                found = made.key, made.kind, made.settings, made.provenance
        except InputError:
            return False
        # As JSON has them: a tuple comes back as a list.
        plain = (json.loads(json.dumps(each)) for each in (self.settings, self.provenance))
        return found == (self.key, self.kind, *plain)


class Unsaved:
    """In place of a journal where no state is kept."""

    def __init__(self, writer: "PredictionWriter") -> None:
        self.add = writer.add
        self.add_to_rung = writer.add_to_rung
        self.update = writer.update
        self.look = writer.look

    def resume(self) -> None:
        """Return that there is nothing to go on from."""

    def save_if_due(self, state: Callable[[], dict[str, Any]]) -> None:
        """Do nothing."""


@contextlib.contextmanager
def resumable_predictions(
    options: argparse.Namespace, job: PredictionJob, store: "FrameStore"
) -> Iterator[tuple["Journal | Unsaved", "PredictionWriter"]]:
    """Yield a journal to keep results in, and the writer of the file; it appears at the end."""
    from videottt.runtime.interruption import Interruption
    from videottt.runtime.saved_state import SavedState
    from videottt.store.journal import Journal
    from videottt.store.predictions import write_predictions

    with write_predictions(
        options.output,
        job.key,
        kind=job.kind,
        frames=len(store),
        size=store.size,
        classes=store.classes,
        settings=job.settings,
        provenance=job.provenance,
    ) as writer:
        if options.state is None:
            yield Unsaved(writer), writer
            return
        # Where the output is being made is no part of its provenance, nor is what is only shown.
        decisive = {**dataclasses.asdict(job), "looks": getattr(options, "looks", None)}
        saved = SavedState(options.state, options.output, decisive)
        with Interruption(options.save_every) as interruption:
            yield Journal(writer, saved, interruption), writer
    saved.remove()
