"""Put the trained models of the study `models` into the package: `make models`.

Each is rounded to float16 and written beside the catalogue, with its checksum; the history of its
training goes into docs/histories/.
"""

import argparse
import shutil
import sys
from pathlib import Path

import torch

from videottt.core.errors import InputError, absent
from videottt.core.files import complete_file, sha256, write_text
from videottt.core.paths import named_path
from videottt.core.shipped import shipped
from videottt.models.checkpoint import load_checkpoint, save_checkpoint
from videottt.models.shipped_checkpoints import CHECKSUMS, file_of, shipped_checkpoints

HISTORIES = "docs/histories"


def put_into_package(results: Path) -> list[Path]:
    """Write every checkpoint of the catalogue, rounded, and the list of their checksums.

    Args:
        results: folder that the workflow wrote.

    Returns:
        the files of weights.

    Raises:
        InputError: a checkpoint or its history is absent or broken.
    """
    files = []
    for name, entry in shipped_checkpoints().items():
        trained = results / "checkpoints" / f"{entry.made_from}.safetensors"
        history = trained.with_suffix(".csv")
        if not history.is_file():
            raise absent(history, "history of a training")
        read = load_checkpoint(trained)
        save_checkpoint(
            file_of(name),
            read.model,
            read.classes,
            read.space,
            decoder=read.has_decoder,
            provenance=read.provenance | {"rounded_from": sha256(trained)},
            stored=torch.float16,
        )
        with complete_file(shipped(HISTORIES) / f"{name}.csv") as part:
            shutil.copyfile(history, part)
        files.append(file_of(name))
    lines = [f"{sha256(path)}  {path.name}\n" for path in files]
    write_text(shipped(CHECKSUMS), "".join(lines))
    return files


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=named_path, default=Path("results"))
    options = parser.parse_args()
    try:
        for path in put_into_package(options.results):
            print(f"{path}: {path.stat().st_size} bytes")
    except InputError as error:
        sys.exit(f"videottt: error: {error}")


if __name__ == "__main__":
    main()
