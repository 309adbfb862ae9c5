"""What is said of published weights that are not those of a network."""

import textwrap
from pathlib import Path

from videottt.errors import InputError

MEND = "take the file that workflow/resources/datasets.yaml names"


def misfit(path: Path, network: str, reason: object) -> InputError:
    """Return the error for weights that are not those of a network."""
    short = textwrap.shorten(str(reason), 240, placeholder=" ...")
    return InputError(f"{path}: not the weights of {network} ({short}); {MEND}")
