"""Remove from the names of weights what training programs put before and into them."""

import logging
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from torch import Tensor

from videottt.core.errors import InputError

logger = logging.getLogger(__name__)

# Prefixes of names: of torch's wrappers for parallel training, compiling and averaging, and of the
# attribute that holds the network in a training program, the likeliest first.
PREFIXES = (
    "module.", "_orig_mod.", "model.", "net.", "network.", "segmenter.", "segmentor.", "ema_model.",
    "ema.", "averaged_model.", "model_ema.", "online_model.", "student.", "teacher.", "backbone.",
    "encoder.",
)  # fmt: skip
# Parts of names that wrappers of the whole network, or of a part of it, add.
WRAPPERS = ("module", "_orig_mod", "_forward_module", "_fsdp_wrapped_module",
            "_checkpoint_wrapped_module")  # fmt: skip
AVERAGED = "n_averaged"  # number of averaged models, beside the part `module`
DEEPEST = 6  # most prefixes of a name


def unwrapped(
    tensors: dict[str, Tensor], is_known: Callable[[str], bool], path: Path
) -> dict[str, Tensor]:
    """Remove `WRAPPERS` and `PREFIXES` from names, so that most of the names are known.

    Where no name is known, prefixes are removed while all names have one.

    Args:
        tensors: weights by name.
        is_known: whether a name is one of the network. Where the names with a prefix lead to one,
            weights without the prefix, such as those of a loss, are left out.
        path: of their file, for messages.

    Raises:
        InputError: there are several networks, none of which is the main one, or only some names
            have a prefix.
    """
    scores: dict[str, int] = {}
    # A network may have a part that is named as a wrapper.
    for names in (tensors, bare := _without_wrappers(tensors)):
        counted = {
            prefix: sum(map(is_known, _without(prefix, names))) for prefix in _prefixes(names)
        }
        if max(counted.values()) > max(scores.values(), default=0):
            tensors, scores = names, counted
    if not scores:
        tensors = bare
        while prefix := next((p for p in PREFIXES if all(n.startswith(p) for n in tensors)), None):
            tensors = _without(prefix, tensors)
        return tensors
    prefix = _chosen(scores, path)
    taken = _without(prefix, tensors)
    left = [
        name
        for name in tensors
        if not (name.startswith(prefix) and is_known(name.removeprefix(prefix)))
    ]
    parts = {name.partition(".")[0] for name in taken}
    for name, other in ((name, other) for name in left for other in scores if other != prefix):
        short = name.removeprefix(other)
        # Another classifier, for one, is no part of what is taken.
        of_part = name.startswith(other) and short.partition(".")[0] in parts
        if of_part and short not in taken and is_known(short):
            raise InputError(
                f"{path}: only some names of the network begin with '{prefix or other}', and "
                f"'{short}' is not among them; save the state_dict() of one model"
            )
    if len(taken) < len(tensors):
        logger.info(
            "%s: left out %d weight(s) that are not of the network", path, len(tensors) - len(taken)
        )
    return taken


def _chosen(scores: dict[str, int], path: Path) -> str:
    """Return the prefix of the network.

    Of those that lead to about as many known names, none or `model.` is taken; another only if it
    is the only one.

    Args:
        scores: number of known names by prefix, the shortest prefix first.
        path: of the file, for messages.

    Raises:
        InputError: there are several others.
    """
    most = max(scores.values())
    best = next(prefix for prefix, score in scores.items() if score == most)
    rivals = [
        prefix
        for prefix, score in scores.items()
        if prefix == best
        or (2 * score >= most and not prefix.startswith(best) and not best.startswith(prefix))
    ]
    first = next((prefix for prefix in rivals if prefix.startswith("model.")), best)
    if len(rivals) > 1:
        said = ", ".join(f"'{prefix}'" for prefix in rivals)
        if first and not first.startswith("model."):
            raise InputError(
                f"{path}: has the weights of several networks, {said}; save the state_dict() of "
                "the one that is meant"
            )
        logger.info("%s: has networks as %s; '%s' is taken", path, said, first)
    return first


def _prefixes(tensors: dict[str, Tensor]) -> list[str]:
    """Return prefixes and chains of prefixes that names have, the shortest chain first."""
    found = {"": tensors}
    nested = found
    for _ in range(DEEPEST):
        nested = {
            prefix + more: shorter
            for prefix, names in nested.items()
            for more in PREFIXES
            if (shorter := _without(more, names))
        }
        found |= nested
    return list(found)


def _without_wrappers(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Remove `WRAPPERS` from names, where every name that begins likewise has the same wrapper."""
    parts = {name: name.split(".", 64) for name in tensors}
    following: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for each in parts.values():
        if each[-1] != AVERAGED:
            for place, part in enumerate(each):
                following[tuple(each[:place])].add(part)

    def bare(each: list[str]) -> str:
        return ".".join(
            part
            for place, part in enumerate(each)
            if part not in WRAPPERS or following[tuple(each[:place])] != {part}
        )

    return {bare(parts[name]): tensor for name, tensor in tensors.items()}


def _without(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors whose names have a prefix, without it."""
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix) and name != prefix
    }
