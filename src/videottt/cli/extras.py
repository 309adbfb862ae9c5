"""Name the extra of the package that has a library which is not installed."""

import importlib.metadata
import importlib.util
import re

# Libraries whose module and distribution have different names.
DISTRIBUTIONS = {"skimage": "scikit-image", "panopticapi": "panopticapi-lite"}
# Its metadata asks for numpy < 2, which it does not need: no extra can have it.
APART = "panopticapi-lite"
# Extras that users do not choose a library by.
_COLLECTIONS = ("all", "docs", "test")


def advice(module: str) -> str | None:
    """Return which library a module is of and how to install it, or None if that is not known.

    Args:
        module: name of a module that cannot be imported, such as ``seaborn`` or ``pandas.io``.
    """
    top = module.partition(".")[0]
    # A library without one of its modules is damaged, or of another version: no extra mends that.
    if importlib.util.find_spec(top) is not None:
        return None
    distribution = DISTRIBUTIONS.get(top, top.replace("_", "-").lower())
    if distribution == APART:
        return f"{distribution}; install it with pip install --no-deps {distribution}"
    offered = extras()
    with_it = [extra for extra, libraries in offered.items() if distribution in libraries]
    if not with_it:
        return None
    extra = max(with_it, key=lambda each: len(offered[each]))
    return f"{distribution}; install it with pip install 'videottt[{extra}]'"


def extras() -> dict[str, list[str]]:
    """Return the libraries of each extra, as the installed package declares them."""
    try:
        required = importlib.metadata.requires("videottt") or []
    except importlib.metadata.PackageNotFoundError:
        return {}
    found: dict[str, list[str]] = {}
    for line in required:
        match = re.match(r"([\w.-]+).*\bextra == ['\"](\w+)['\"]", line)
        if match and match[2] not in _COLLECTIONS:
            found.setdefault(match[2], []).append(match[1].lower())
    return found
