"""Check what jobs need of the machine that they run on."""

import importlib
import importlib.metadata
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from humanize import naturalsize

from videottt.core.errors import InputError
from videottt.runtime.gpus import visible_gpus
from videottt.study.doctor.findings import BAD, GOOD, WARNING, Finding

# Bytes that anything needs.
LEAST_FREE = 1 << 30


def packages() -> Iterator[Finding]:
    """Yield whether what jobs import can be imported."""
    for name in ("torch", "timm", "transformers", "h5py", "pycocotools.mask", "imageio_ffmpeg"):
        package = name.partition(".")[0]
        try:
            importlib.import_module(name)
            version = importlib.metadata.version(package.replace("_", "-"))
        # A library that is broken may raise anything.
        except Exception as error:
            reason = " ".join(str(error).split())
            yield Finding(BAD, package, f"cannot be imported ({reason}); run make setup")
        else:
            yield Finding(GOOD, package, version)


def gpus() -> Finding:
    """Return which GPUs are seen here, and whether torch can use them."""
    import torch

    found = visible_gpus()
    names = ", ".join(gpu.name for gpu in found)
    if not found:
        return Finding(GOOD, "GPU", "none is visible here: jobs that are run here use the CPU")
    if not torch.cuda.is_available():
        build = f"torch {torch.__version__}"
        return Finding(
            BAD,
            "GPU",
            f"{names}: {build} cannot use it; install a torch that is built for this driver's CUDA",
        )
    return Finding(GOOD, "GPU", names)


def disk(results: Path) -> Iterator[Finding]:
    """Yield whether results can be written, locked, and flushed where they are to be."""
    from videottt.core.files import complete_file
    from videottt.store.hdf5 import new_file, open_checked, write_attributes

    place = results if results.is_dir() else results.absolute().parent
    try:
        with tempfile.TemporaryDirectory(prefix=".doctor", dir=place) as folder:
            path = Path(folder) / "x.h5"
            with new_file(path) as file:
                write_attributes(file, format="videottt doctor", version=1)
            open_checked(path, "videottt doctor", 1).close()
            with complete_file(path.with_suffix(".txt")) as part:
                part.write_text("x")
    except (OSError, InputError) as error:
        yield Finding(BAD, "results", " ".join(str(error).split()))
        return
    free = shutil.disk_usage(place).free
    if free < LEAST_FREE:
        yield Finding(
            WARNING,
            "results",
            f"{place}: {naturalsize(free)} are free, too little for any study; delete files or use "
            "another disk",
        )
    else:
        yield Finding(GOOD, "results", f"{place}: written, locked, read; {naturalsize(free)} free")
